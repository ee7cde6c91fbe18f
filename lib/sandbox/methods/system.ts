/** `system.*`, `pool.*` and `user.*`: a NAS with two pools, enough to try commands on. */
import type { JobBody } from '../job.js';
import { userId, type Account } from '../login/accounts.js';
import type { MethodTable } from '../middleware.js';
import { instanceNotFound } from '../python/exceptions.js';
import { QUERY_PARAMETERS, optional, query, required } from '../python/parameters.js';
import { PyDateTime, PyFloat, dict, int, numberOf, repr, type PyDict } from '../python/values.js';

const HOSTNAME = 'sandbox';

/** How many seconds a simulated scrub takes, and in how many steps. */
const SCRUB_SECONDS = 3;
const SCRUB_STEPS = 20;

export const systemMethods: MethodTable = {
  'system.version': {
    params: [],
    run: ({ middleware }) => `TrueNAS-${middleware.options.version}`,
  },
  'system.version_short': { params: [], run: ({ middleware }) => middleware.options.version },
  'system.hostname': { params: [], run: () => HOSTNAME },
  'system.ready': { params: [], run: () => true },
  'system.state': { params: [], run: () => 'READY' },

  'system.info': {
    params: [],
    run: ({ middleware }) => {
      const uptime = (Date.now() - middleware.started) / 1000;
      return dict({
        version: `TrueNAS-${middleware.options.version}`,
        buildtime: new PyDateTime(Date.UTC(2026, 7, 1)),
        hostname: HOSTNAME,
        physmem: 17179869184n,
        model: 'Simulated CPU',
        cores: 4n,
        physical_cores: 4n,
        loadavg: [new PyFloat(0.25), new PyFloat(0.5), new PyFloat(1)],
        uptime: `${Math.floor(uptime)} seconds`,
        uptime_seconds: new PyFloat(uptime),
        system_serial: null,
        system_product: 'Sandbox',
        system_product_version: null,
        license: null,
        boottime: new PyDateTime(middleware.started),
        datetime: new PyDateTime(Date.now()),
        timezone: 'Etc/UTC',
        system_manufacturer: 'A simulation, not a TrueNAS',
        ecc_memory: false,
      });
    },
  },

  'pool.query': {
    params: QUERY_PARAMETERS,
    run: ({ args }) => query(pools(), args[0] ?? [], args[1] ?? null),
  },

  'pool.get_instance': {
    params: [required('id', 'integer')],
    run: ({ args }) => {
      const found = pools().find((pool) => pool.get('id') === args[0]);
      if (found === undefined)
        throw instanceNotFound(`Pool ${numberOf(args[0]) ?? 0} does not exist`);
      return found;
    },
  },

  /** [pool, action or seconds, seconds]. The real method takes no seconds. */
  'pool.scrub': {
    access: 'admin',
    params: [
      required('id'),
      optional('action', 'any', 'START'),
      optional('duration', 'number', null),
    ],
    job: { describe: ([pool = null]) => `Scrub of pool ${repr(pool)}` },
    body: ({ args: [, action = null, duration = null] }) =>
      scrub(numberOf(duration) ?? numberOf(action) ?? SCRUB_SECONDS),
  },

  'user.query': {
    params: QUERY_PARAMETERS,
    run: ({ middleware, args }) =>
      query(users(middleware.accounts), args[0] ?? [], args[1] ?? null),
  },
};

function scrub(seconds: number): JobBody {
  return async (job) => {
    for (let step = 1; step <= SCRUB_STEPS; step += 1) {
      await job.sleep(seconds / SCRUB_STEPS);
      if (step < SCRUB_STEPS)
        job.setProgress(new PyFloat((step * 100) / SCRUB_STEPS + 0.25), 'Scrubbing');
    }
    return null;
  };
}

function pools(): PyDict[] {
  return [pool(1, 'tank', 4_398_046_511_104n), pool(2, 'archive', 35_184_372_088_832n)];
}

function pool(id: number, name: string, size: bigint): PyDict {
  const allocated = size / 3n;
  return dict({
    id: int(id),
    name,
    guid: String(9007199254740993n * int(id)),
    path: `/mnt/${name}`,
    status: 'ONLINE',
    healthy: true,
    warning: false,
    size,
    allocated,
    free: size - allocated,
    fragmentation: '3',
    scan: dict({
      function: 'SCRUB',
      state: 'FINISHED',
      start_time: new PyDateTime(Date.UTC(2026, 6, 5)),
      end_time: new PyDateTime(Date.UTC(2026, 6, 5, 3)),
      percentage: new PyFloat(100),
      errors: 0n,
    }),
    autotrim: dict({ value: 'off', rawvalue: 'off', parsed: 'off', source: 'DEFAULT' }),
  });
}

function users(accounts: readonly Account[]): PyDict[] {
  return accounts.map((account) =>
    dict({
      id: int(userId(accounts, account)),
      uid: int(account.uid),
      username: account.name,
      full_name: account.name,
      home: account.uid === 0 ? '/root' : `/home/${account.name}`,
      shell: '/usr/bin/zsh',
      builtin: account.uid === 0,
      locked: false,
      local: true,
      roles: [account.admin ? 'FULL_ADMIN' : 'READONLY_ADMIN'],
      groups: [],
    }),
  );
}
