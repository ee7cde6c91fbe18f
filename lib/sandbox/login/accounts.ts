import { PySet, dict, int, type PyDict } from '../python/values.js';

/** A user of the sandbox. `refusal` is what a right password is answered with. */
export interface Account {
  readonly name: string;
  readonly password: string | null;
  readonly uid: number;
  readonly admin: boolean;
  readonly refusal?: 'DENIED' | 'EXPIRED';
  /** The one-time password, for who needs one. */
  readonly otp?: string;
}

export const ROOT: Account = { name: 'root', password: null, uid: 0, admin: true };

export const ACCOUNTS: readonly Account[] = [
  ROOT,
  { name: 'admin', password: 'admin-pw', uid: 3000, admin: true },
  { name: 'otp', password: 'otp-pw', uid: 3001, admin: true, otp: '123456' },
  { name: 'reader', password: 'reader-pw', uid: 3002, admin: false },
  { name: 'noapi', password: 'noapi-pw', uid: 3003, admin: false, refusal: 'DENIED' },
  { name: 'expired', password: 'expired-pw', uid: 3004, admin: true, refusal: 'EXPIRED' },
];

export function findAccount(name: string, password: string): Account | null {
  const account = ACCOUNTS.find((candidate) => candidate.name === name);
  return account !== undefined && account.password === password ? account : null;
}

/** What auth.me says, and a login that asks for `user_info`. */
export function userInfo(account: Account): PyDict {
  const roles = account.admin ? ['FULL_ADMIN', 'READONLY_ADMIN'] : ['READONLY_ADMIN'];
  return dict({
    pw_name: account.name,
    pw_gecos: account.name,
    pw_dir: account.uid === 0 ? '/root' : `/home/${account.name}`,
    pw_shell: '/usr/bin/zsh',
    pw_uid: int(account.uid),
    pw_gid: int(account.uid),
    grouplist: null,
    sid: null,
    source: 'LOCAL',
    local: true,
    attributes: dict({}),
    two_factor_config: dict({
      provisioning_uri: null,
      secret_configured: account.otp !== undefined,
      interval: 30n,
      otp_digits: 6n,
    }),
    privilege: dict({ roles: new PySet(roles), web_shell: account.admin, webui_access: true }),
    account_attributes: ['LOCAL', 'SYS_ADMIN'].slice(0, account.admin ? 2 : 1),
  });
}
