/** docs/RECIPES.md and contrib/: what is written there is run. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { CONTRIB, blocksOf, lacking, startControlHosts, workshop } from '../support/recipes.js';

t.setTimeout(600_000);

t.test('what the document shows of a file is that file, and each file is shown', async (t) => {
  const files = fs
    .readdirSync(CONTRIB, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(path.join(CONTRIB, name)).isFile())
    .map((name) => ({ name, text: fs.readFileSync(path.join(CONTRIB, name), 'utf8') }));
  const shown = new Set<string>();
  for (const language of ['yaml', 'ini', 'crontab', 'hcl'])
    for (const block of blocksOf(language)) {
      const found = files.find(({ text }) => text === block);
      t.ok(found, `a ${language} block is a file: ${block.slice(0, 60)}`);
      if (found) shown.add(found.name);
    }
  t.ok(blocksOf('sh').includes(fs.readFileSync(`${CONTRIB}/prometheus/midclt-textfile`, 'utf8')));
  t.equal(shown.size, 7);
});

t.test('Ansible', { skip: lacking('ansible-playbook') }, async (t) => {
  const place = await workshop(t);
  fs.copyFileSync(`${CONTRIB}/ansible/pools.yml`, `${place.home}/pools.yml`);
  await place.runSection('Ansible');
  const logins = place.systems.map((system) => system.stats.connections);
  t.strictSame(logins, [1, 1, 1], 'a system is logged in to once, by its daemon');
  t.match(
    place.systems.map((system) => system.countOf('pool.scrub')),
    [2, 2, 2],
  );

  const off = await place.sh(
    'midclt -p nas2 daemon-stop; ansible-playbook -i inventory.json pools.yml --check',
  );
  t.match(off, { code: 0 });
});

t.test('GNU parallel', { skip: lacking('parallel', 'jq', 'sshd', 'ssh') }, async (t) => {
  const place = await workshop(t);
  await startControlHosts(t, place, ['control1', 'control2']);
  const off = '[profile.off]\nuri = "wss://localhost:1/api/current"\nusername = "admin"\n';
  fs.appendFileSync(
    `${place.home}/.config/midclt/profiles.toml`,
    `\n${off}api_key_file = "${place.home}/.nas-key"\n`,
  );
  await place.runSection('GNU parallel');
});

t.test('OpenSSH', { skip: lacking('sshd', 'ssh', 'jq', 'nc', 'socat') }, async (t) => {
  const place = await workshop(t);
  await startControlHosts(t, place, ['control1', 'nas1']);
  await place.runSection('OpenSSH', (command) =>
    command.replaceAll('/run/middleware/middlewared.sock', `${place.home}/nas1.mw`),
  );
});
