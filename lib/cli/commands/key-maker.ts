/** Has the server make an API key for a profile. One that can't be kept is deleted there again, or named. */
import os from 'node:os';
import { asMidcltError, publicText } from '../../errors.js';
import { integerOf, membersOf, stringOf } from '../../json/members.js';
import type { Connection } from '../../middleware/connection.js';
import { parseRawKey } from '../../middleware/login/credential.js';
import { stripControls } from '../../text/terminal.js';
import { sayLine } from '../output/output.js';
import { onSignal } from './exchange.js';

/** Milliseconds for a call. */
const TIMEOUT = 30_000;
/** Characters that are left of a host's name; the server takes 200 in all. */
const MOST_HOST = 64;

export const NO_KEY = 'The password is not kept: it is asked for where it is needed';

interface Owner {
  readonly profileName: string | null;
  readonly username: string | null;
  /** Of the server. */
  readonly host: string;
}

export class KeyMaker {
  private readonly name: string;
  /** Of the key, at the server. */
  private id: number | null = null;
  private isAsked = false;

  /** `logIn` tries a key over a connection of its own. */
  constructor(
    private readonly connection: Connection,
    private readonly owner: Owner,
    private readonly logIn: (key: string) => Promise<void>,
  ) {
    const host = stripControls(os.hostname()).slice(0, MOST_HOST);
    const now = new Date().toISOString().slice(0, 19);
    this.name = `midclt ${owner.profileName ?? ''} on ${host} ${now}Z`;
  }

  /**
   * Makes a key, sees that it logs in, and has it kept. What the server refuses is said, and then there is none. Rejects as
   * `keep`, which a signal may prevent, too.
   */
  async make(keep: (key: string | null) => Promise<void>): Promise<void> {
    const forget = onSignal(() => {
      if (this.isAsked) sayLine(this.remains());
    });
    try {
      const key = await this.tried();
      try {
        await keep(key);
        if (key !== null) sayLine(`Made the API key ${this.id ?? ''} ('${this.name}')`);
      } catch (error) {
        if (key !== null) await this.undo();
        throw error;
      }
    } finally {
      forget();
    }
  }

  /** A key that logs in; null if there is none, which has been said. */
  private async tried(): Promise<string | null> {
    const { host } = this.owner;
    let key: string;
    try {
      key = await this.create();
    } catch (thrown) {
      const error = asMidcltError(thrown);
      sayLine(`${host} made no API key: ${firstLine(error)}`);
      if (error.outcomeUnknown) sayLine(this.remains());
      sayLine(NO_KEY);
      return null;
    }
    try {
      await this.logIn(key);
      return key;
    } catch (error) {
      sayLine(`The API key that ${host} made does not log in: ${firstLine(error)}`);
      await this.undo();
      sayLine(NO_KEY);
      return null;
    }
  }

  private async create(): Promise<string> {
    this.isAsked = true;
    const params = JSON.stringify([{ name: this.name, username: this.owner.username }]);
    const answer = await this.call('api_key.create', params);
    const members = membersOf(answer);
    const key = stringOf(members?.get('key')) ?? '';
    const raw = parseRawKey(key);
    this.id = integerOf(members?.get('id')) ?? (raw && Number(raw.id));
    if (raw) return key;
    throw new Error('its answer has no key in it');
  }

  private async undo(): Promise<void> {
    const { id } = this;
    if (id === null) return;
    try {
      await this.call('api_key.delete', JSON.stringify([id]));
      this.isAsked = false;
      sayLine(`The API key ${id} was deleted again at ${this.owner.host}`);
    } catch {
      sayLine(this.remains());
    }
  }

  private call(method: string, params: string) {
    return this.connection.call(method, Buffer.from(params), { timeout: TIMEOUT });
  }

  /** What may be left at the server. */
  private remains(): string {
    const { id, name, owner } = this;
    return id === null
      ? `An API key '${name}' may have been made at ${owner.host} all the same; if so, it is still valid there`
      : `The API key ${id} ('${name}') is still valid at ${owner.host}; delete it there`;
  }
}

/** A traceback, say, is of no use here. */
function firstLine(error: unknown): string {
  return publicText(error).split('\n')[0] ?? '';
}
