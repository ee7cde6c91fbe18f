'use strict';
// Draws docs/terminal.svg: what the built program prints on a terminal, for the README. With --check it only says
// whether the picture still shows that. Needs script(1).
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { stripVTControlCharacters } = require('node:util');

const root = path.join(__dirname, '..');
const file = path.join(root, 'docs/terminal.svg');
const program = path.join(root, 'dist/bin/midclt.js');
const COLUMNS = 78;

const COMMANDS = [
  'midclt -p nas1 -d call system.version',
  `midclt -p nas1 -d call -o table=id,username,shell user.query '[["id", "<", 3]]'`,
  'midclt -p nas1 -d call -o pretty test.echo 18446744073709551615 2.0',
  'midclt -p nas1 -d methods scrub',
  'midclt -p all --sort ping',
  'midclt -p nas1 -d call -j pool.scurb 1',
];

async function main() {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'm-'));
  const env = { PATH: process.env.PATH, HOME: home, TERM: 'xterm', LANG: 'C.UTF-8' };
  const midclt = (...args) =>
    execFileSync(process.execPath, [program, ...args], { env, stdio: 'pipe' });
  const sandboxes = ['nas1', 'nas2'].map((name) => {
    const args = [program, 'sandbox', '--unix', `${home}/${name}.sock`];
    return spawn(process.execPath, args, { env, stdio: 'ignore' });
  });
  try {
    for (const name of ['nas1', 'nas2', 'nas3']) {
      const socket = `${home}/${name}.sock`;
      while (name !== 'nas3' && !fs.existsSync(socket))
        await new Promise((done) => setTimeout(done, 20));
      midclt('profile', 'add', name, '-u', socket, '--no-check');
    }
    midclt('-p', 'nas1,nas2', 'ping');
    const lines = COMMANDS.flatMap((command) => [`$ ${command}`, ...run(command, env)]);
    const picture = draw(lines.map((line) => line.replaceAll(`${home}/`, '/run/')));
    if (!process.argv.includes('--check')) fs.writeFileSync(file, picture);
    else if (fs.readFileSync(file, 'utf8') !== picture) {
      throw new Error(
        "docs/terminal.svg shows something else; 'node scripts/picture.js' draws it anew",
      );
    }
  } finally {
    midclt('daemon-stop', '--all');
    for (const sandbox of sandboxes) sandbox.kill();
    fs.rmSync(home, { recursive: true, force: true });
  }
}

/** The lines that a command leaves on a terminal of so many columns. */
function run(command, env) {
  const setUp = `stty cols ${COLUMNS} rows 40; midclt() { "${process.execPath}" "${program}" "$@"; }`;
  const output = execFileSync('script', ['-qec', `${setUp}; ${command}; true`, '/dev/null'], {
    env: { ...env, NO_COLOR: '1' },
    encoding: 'utf8',
  });
  return stripVTControlCharacters(output.replaceAll('\r\n', '\n')).trimEnd().split('\n');
}

const WIDTH = 8.4;
const HEIGHT = 19;
const MARGIN = 16;
const BAR = 30;

function draw(lines) {
  const width = Math.round(COLUMNS * WIDTH + 2 * MARGIN);
  const height = lines.length * HEIGHT + 2 * MARGIN + BAR;
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (colour, i) => `<circle cx="${20 + i * 20}" cy="18" r="6" fill="${colour}"/>`,
  );
  const rows = lines.map((line, i) => {
    const y = BAR + MARGIN + (i + 1) * HEIGHT - 6;
    return `<text x="${MARGIN}" y="${y}" xml:space="preserve">${coloured(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A terminal session with midclt">
<rect width="100%" height="100%" rx="8" fill="#1c2128"/>
${dots.join('')}
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#c9d1d9">
${rows.join('\n')}
</g>
</svg>
`;
}

function coloured(line) {
  const text = line.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  if (line.startsWith('$ ')) {
    return `<tspan fill="#7ee787">$</tspan><tspan fill="#ffffff" font-weight="bold">${text.slice(1)}</tspan>`;
  }
  const isHeader = /^[A-Z_]+(?:  +[A-Z_]+)+$/.test(line);
  return isHeader ? `<tspan fill="#8b949e">${text}</tspan>` : text;
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
