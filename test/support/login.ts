/** A server that checks every proof and binding, and the keys to it. */
import type { Test } from 'tap';
import { API_KEYS, type SandboxOptions } from '../../lib/sandbox/index.js';
import { surroundings, type Surroundings } from './daemon.js';
import { midclt, type Finished } from './midclt.js';

const [admin] = API_KEYS;
export const SECRET = admin!.key;
export const KEY = `${admin!.id}-${SECRET}`;
/** As long as the right one. */
export const WRONG = `${admin!.id}-${SECRET.slice(1)}xx`;

export interface Server extends Surroundings {
  readonly ws: string;
  readonly wss: string;
  /** `midclt -u URI … call core.ping`, as admin over `wss:` unless said otherwise. */
  readonly login: (globals: readonly string[], uri?: string) => Promise<Finished>;
  /** What login messages said, in order: `rfc_str` or `api_key`. */
  readonly sent: () => string[];
}

export async function startServer(t: Test, options: Partial<SandboxOptions> = {}): Promise<Server> {
  const around = await surroundings(t, {
    ws: 0,
    wss: 0,
    rateLimit: false,
    failedLoginDelayMs: 20,
    scram: { iterations: 50_000 },
    ...options,
  });
  const { home, sandbox } = around;
  const wss = `wss://127.0.0.1:${sandbox.wssPort}/api/current`;
  return {
    ...around,
    ws: `ws://127.0.0.1:${sandbox.wsPort}/api/current`,
    wss,
    login: (globals, uri = wss) => {
      const user = globals.includes('-U') ? [] : ['-U', 'admin'];
      const args = ['-u', uri, '--insecure', ...user, ...globals, 'call', 'core.ping'];
      return midclt(args, { home });
    },
    sent: () => {
      const texts = sandbox.received.map((text) => JSON.parse(text) as { params: unknown[] });
      return texts.flatMap(({ params: [first] }) => {
        const { rfc_str, api_key } = (first ?? {}) as Record<string, string | undefined>;
        return rfc_str ?? api_key ?? [];
      });
    },
  };
}

export const PONG = { code: 0, stdout: 'pong\n', stderr: '' };

/** Refused for this reason in one line, which has nothing of the key in it. */
export function refused(t: Test, run: Finished, reason: RegExp): void {
  t.match(run, { code: 1, stdout: '', stderr: /^Error: Failed to login: [^\n]*\n$/ });
  t.match(run.stderr, reason);
  t.notMatch(run.stderr, SECRET.slice(0, 12));
  t.notMatch(run.stderr, WRONG.slice(2, 14));
}
