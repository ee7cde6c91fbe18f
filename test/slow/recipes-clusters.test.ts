/** contrib/kubernetes and contrib/nomad: read as far as something reads them without a cluster, and their commands run. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import t from 'tap';
import { CONTRIB, workshop, type Workshop } from '../support/recipes.js';

t.setTimeout(300_000);

/** What Kubernetes' own models do not know is not in what they give back. */
const CHECK = `
import json, sys, yaml, kubernetes.client
manifest = yaml.safe_load(open(sys.argv[1]))
client = kubernetes.client.ApiClient()
class Response: data = json.dumps(manifest)
known = client.sanitize_for_serialization(client.deserialize(Response, 'V1CronJob'))
print(json.dumps([manifest, known]))`;

interface CronJob {
  readonly spec: {
    readonly jobTemplate: {
      readonly spec: {
        readonly template: {
          readonly spec: {
            readonly containers: readonly {
              readonly args: readonly string[];
              readonly env?: unknown;
            }[];
          };
        };
      };
    };
  };
}

function hasKubernetes(): string | false {
  const found = spawnSync('/usr/bin/python3', ['-c', 'import kubernetes, yaml']).status === 0;
  return !found && 'python3-kubernetes not installed';
}

/**
 * Runs a container's arguments with a key where such clusters mount it: a symbolic link to root's file, 0440. Where they name
 * a file of authorities there are no others that know the server.
 */
async function runContainer(
  place: Workshop,
  args: readonly string[],
  key: string,
): Promise<unknown> {
  const hasAuthorities = args.includes(AUTHORITIES);
  const mount = `${place.home}/mount`;
  fs.mkdirSync(`${mount}/..data`, { recursive: true });
  fs.copyFileSync(`${place.home}/.nas-key`, `${mount}/..data/key`);
  fs.chmodSync(`${mount}/..data/key`, 0o440);
  fs.symlinkSync('..data/key', `${mount}/key`);
  const words = args.map((arg) =>
    arg
      .replace(key, `${mount}/key`)
      .replace(AUTHORITIES, `${place.home}/ca.pem`)
      .replace('wss://nas1.example/api/current', place.uris[0] ?? ''),
  );
  const quoted = words.map((word) => `'${word}'`).join(' ');
  return place.sh(`midclt ${quoted}`, hasAuthorities ? { env: { NODE_EXTRA_CA_CERTS: '' } } : {});
}

const AUTHORITIES = '/run/certificates/ca.crt';
const SCRUBBED = { code: 0, stdout: 'null\n' };

t.test(
  'Kubernetes knows all that is in the manifest, and its command runs',
  { skip: hasKubernetes() },
  async (t) => {
    const place = await workshop(t);
    const file = `${CONTRIB}/kubernetes/cronjob.yaml`;
    const check = async (name: string) => {
      const { stdout, stderr } = await place.sh(`/usr/bin/python3 -c "$CHECK" '${name}'`, {
        env: { CHECK },
      });
      if (stdout === '') throw new Error(stderr);
      return JSON.parse(stdout) as [CronJob, unknown];
    };
    const [manifest, known] = await check(file);
    t.strictSame(known, manifest);
    for (const [from, to] of [
      ['backoffLimit', 'backofLimit'],
      ['runAsUser: 1000', 'runAsUser: "1000"'],
    ] as const) {
      const wrong = `${place.home}/wrong.yaml`;
      fs.writeFileSync(wrong, fs.readFileSync(file, 'utf8').replace(from, to));
      const [theirs, left] = await check(wrong);
      t.notSame(JSON.stringify(left), JSON.stringify(theirs), `${to} is noticed`);
    }
    const [container] = manifest.spec.jobTemplate.spec.template.spec.containers;
    t.notOk(container?.env, 'nothing is in the environment, least of all a secret');
    t.ok(container?.args.includes(AUTHORITIES), "the server's certificate may be the user's own");
    const run = await runContainer(place, container?.args ?? [], '/run/secrets/midclt/key');
    t.match(run, SCRUBBED);
    t.equal(place.systems[0]?.countOf('pool.scrub'), 1);
  },
);

t.test("the command of Nomad's job runs", async (t) => {
  const place = await workshop(t);
  const text = fs.readFileSync(`${CONTRIB}/nomad/midclt.nomad.hcl`, 'utf8');
  const list = /^ +args = \[(.*?)\]/ms.exec(text)?.[1] ?? '';
  const args = [...list.matchAll(/"([^"]*)"/g)].map(([, word = '']) => word);
  t.match(await runContainer(place, args, '${NOMAD_SECRETS_DIR}/key'), SCRUBBED);
});
