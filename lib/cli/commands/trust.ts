/** `trust HOST`: shows a server's certificate, asks, and pins it: from then on it is the only one that is accepted there. */
import { X509Certificate } from 'node:crypto';
import { followedBy, isMidcltError, MidcltError, shellWord } from '../../errors.js';
import { addPin, readPins, removePin } from '../../files/pins.js';
import { pinsPath, profilesPath } from '../../files/paths.js';
import { isTerminalThere } from '../../login/prompt.js';
import { confirm } from '../../login/questions.js';
import { targetOf } from '../../login/target.js';
import { dayOf, hostWord, lineOf, namesOf, untrusted } from '../../middleware/unreachable.js';
import { parseTarget, type Target } from '../../middleware/uri.js';
import { readProfiles } from '../../profiles/file.js';
import type { Arguments } from '../args/arguments.js';
import { sayLine } from '../output/output.js';
import { aligned, printLines } from '../output/table.js';

/** Returns the exit code. */
export async function trustCommand(args: Arguments): Promise<number> {
  const file = pinsPath();
  if (args.list) return list(file);
  const host = hostWord(securedTarget(args));
  if (args.remove) return remove(file, host);
  const pinned = readPins(file).find((pin) => pin.host === host)?.fingerprint ?? null;
  const { certificate, lines } = await shownBy(targetOf(args), pinned).catch(withProfile(host));
  printLines(lines);
  const shown = certificate.fingerprint256;
  if (shown === pinned && (args.fingerprint ?? shown) === shown) {
    sayLine(`It is the one that you have trusted for ${host}`);
    return 0;
  }
  if (pinned !== null && pinned !== shown) {
    sayLine(`It is another than the one that you have trusted for ${host}: sha256:${pinned}`);
  }
  if (!(await isWanted(args.fingerprint, shown, host))) return 1;
  await addPin(file, { host, fingerprint: shown });
  sayLine(
    `Trusted for ${host} from now on, and nothing else there (${file}). After the server's certificate is renewed: midclt trust ${shellWord(host)}`,
  );
  return 0;
}

export function questionFor(host: string): string {
  return `Trust it for ${host} from now on?`;
}

/** Rejects where there is nobody to be asked, or with what is not as expected. */
async function isWanted(expected: string | null, shown: string, host: string): Promise<boolean> {
  if (expected !== null) {
    if (expected === shown) return true;
    throw new MidcltError(
      'CONNECT',
      `The certificate of ${host} is not the one that is expected: sha256:${shown} in place of sha256:${expected}. Nothing was changed`,
    );
  }
  if (isTerminalThere()) return confirm(questionFor(host), false);
  throw new MidcltError(
    'REQUEST',
    `There is no terminal to ask on. With the fingerprint that the server itself tells: midclt trust ${shellWord(host)} --fingerprint sha256:…`,
  );
}

function securedTarget({ uri }: Arguments): Target {
  if (uri === null) {
    throw new MidcltError('REQUEST', 'Say whose certificate: midclt trust HOST');
  }
  const target = parseTarget(uri);
  if (target.scheme === 'wss') return target;
  throw new MidcltError('REQUEST', `${uri} is without TLS, and so has no certificate to trust`);
}

/** Who types a profile's name for a host means its system. */
function withProfile(host: string): (error: unknown) => never {
  return (error) => {
    const isProfile = readProfiles(profilesPath()).entries.has(host);
    if (!isProfile || !isMidcltError(error)) throw error;
    throw followedBy(error, `'${host}' is a profile: 'midclt -p ${host} trust' is for its system`);
  };
}

/** A server's certificate, and what there is to say of it; `pinned` is the one that is trusted there already. */
export async function shownBy(
  target: Target,
  pinned: string | null = null,
): Promise<{ readonly certificate: X509Certificate; readonly lines: readonly string[] }> {
  const { certificateOf } =
    require('../../middleware/channel/secure.js') as typeof import('../../middleware/channel/secure.js');
  const { certificate, distrust } = await certificateOf(target);
  const { subject, issuer, validFrom, validTo, subjectAltName, fingerprint256 } = certificate;
  const until = Date.parse(validTo) < Date.now() ? ', which is over' : '';
  const rows = [
    ['  subject', lineOf(subject) || '-'],
    ['  issuer', subject === issuer ? 'itself' : lineOf(issuer)],
    ['  valid', `from ${dayOf(validFrom)} to ${dayOf(validTo)}${until}`],
    ['  names', namesOf(subjectAltName).join(', ') || '-'],
    ['  SHA-256', `sha256:${fingerprint256}`],
  ];
  const host = hostWord(target);
  const why = distrust === null ? null : (untrusted(target, distrust, certificate) ?? distrust);
  const isTrusted = fingerprint256 === pinned ? 'is trusted by you alone' : 'is not trusted';
  const says = why === null ? 'is trusted: its authority is known here' : `${isTrusted}: ${why}`;
  const lines = [`The certificate of ${host} ${says}`, ...aligned(rows)];
  return { certificate, lines };
}

function list(file: string): number {
  const pins = readPins(file);
  if (pins.length === 0)
    sayLine("No certificate is pinned; 'midclt trust HOST' shows one and asks");
  else printLines(aligned(pins.map(({ host, fingerprint }) => [host, `sha256:${fingerprint}`])));
  return 0;
}

async function remove(file: string, host: string): Promise<number> {
  if (!readPins(file).some((pin) => pin.host === host)) {
    sayLine(`No certificate is pinned for ${host}`);
    return 1;
  }
  await removePin(file, host);
  sayLine(
    `From now on an authority has to vouch for ${host}. A daemon that is connected stays so: 'midclt daemon-list' shows which there are, 'midclt daemon-stop --all' ends all`,
  );
  return 0;
}
