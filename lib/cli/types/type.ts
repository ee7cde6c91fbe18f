/** TypeScript's types as values. Objects that are the same are one, so that what is used often can have a name. */

export type Type =
  /** What needs no more than its own words: `string`, `"ONLINE"`. */
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'union' | 'intersection'; readonly members: readonly Type[] }
  | { readonly kind: 'array'; readonly item: Type; readonly isReadonly: boolean }
  | { readonly kind: 'set'; readonly item: Type }
  | TupleType
  | ObjectType;

export interface TupleType {
  readonly kind: 'tuple';
  readonly elements: readonly Element[];
  readonly isReadonly: boolean;
}

export interface Element {
  /** An identifier; all elements of a tuple have one, or none. */
  readonly label: string | null;
  readonly isOptional: boolean;
  readonly type: Type;
}

export interface Member {
  readonly name: string;
  readonly isOptional: boolean;
  readonly type: Type;
  /** Lines of text. */
  readonly doc: readonly string[];
}

export interface ObjectType {
  readonly kind: 'object';
  readonly members: readonly Member[];
  /** What other names have; null: there are none. */
  readonly others: Type | null;
  /** What it might be called. */
  readonly hint: string;
  readonly id: number;
}

export function word(text: string): Type {
  return { kind: 'word', text };
}

/** `why` is told in the file. */
export function unknown(why?: string): Type {
  return word(why === undefined ? 'unknown' : `unknown /* ${why} */`);
}

function isUnknown(type: Type): boolean {
  return type.kind === 'word' && type.text.startsWith('unknown');
}

/** Each once; what is unknown swallows the rest. */
export function union(types: readonly Type[]): Type {
  const flat = types.flatMap((type) => (type.kind === 'union' ? type.members : [type]));
  const nothing = flat.find(isUnknown);
  if (nothing) return nothing;
  const members = distinct(flat).filter((type) => type.kind !== 'word' || type.text !== 'never');
  if (members.length === 0) return word('never');
  const [first] = members;
  return members.length === 1 && first ? first : { kind: 'union', members };
}

export function intersection(types: readonly Type[]): Type {
  const members = distinct(types).filter((type) => !isUnknown(type));
  const [first = types[0] ?? unknown()] = members;
  return members.length <= 1 ? first : { kind: 'intersection', members };
}

function distinct(types: readonly Type[]): readonly Type[] {
  return [...new Map(types.map((type) => [keyOf(type), type])).values()];
}

/** Two types have the same if they are the same. */
export function keyOf(type: Type): string {
  switch (type.kind) {
    case 'word':
      return type.text;
    case 'object':
      return `#${type.id}`;
    case 'array':
      return `[${String(type.isReadonly)}, ${keyOf(type.item)}]`;
    case 'set':
      return `{${keyOf(type.item)}}`;
    case 'tuple':
      return `[${String(type.isReadonly)}: ${type.elements
        .map((each) => `${each.label} ${String(each.isOptional)} ${keyOf(each.type)}`)
        .join(', ')}]`;
    default:
      return `(${type.members.map(keyOf).join(type.kind === 'union' ? ' | ' : ' & ')})`;
  }
}

/** The objects there are, each once. */
export class Objects {
  private readonly found = new Map<string, ObjectType>();

  make(members: readonly Member[], others: Type | null, hint: string): ObjectType {
    const parts = members.map(({ name, isOptional, type, doc }) =>
      JSON.stringify([name, isOptional, keyOf(type), doc]),
    );
    const key = `${parts.join()} ${others === null ? '' : keyOf(others)}`;
    const before = this.found.get(key);
    if (before) return before;
    const type: ObjectType = { kind: 'object', members, others, hint, id: this.found.size };
    this.found.set(key, type);
    return type;
  }

  /** Those with several members that stand in several places, `roots` among these, with a name for each. */
  named(roots: readonly Type[], taken: readonly string[]): ReadonlyMap<ObjectType, string> {
    const uses = new Map<ObjectType, number>();
    const count = (type: Type) => {
      if (type.kind === 'object') uses.set(type, (uses.get(type) ?? 0) + 1);
      else partsOf(type).forEach(count);
    };
    roots.forEach(count);
    for (const object of this.found.values()) partsOf(object).forEach(count);
    const names = new Set(taken);
    const last = new Map<string, number>();
    const named = new Map<ObjectType, string>();
    for (const object of this.found.values()) {
      if ((uses.get(object) ?? 0) < 2 || object.members.length < 2) continue;
      const { hint } = object;
      let [name, number] = [hint, last.get(hint) ?? 1];
      while (names.has(name)) name = `${hint}${++number}`;
      last.set(hint, number);
      names.add(name);
      named.set(object, name);
    }
    return named;
  }
}

/** What it is made of. */
export function partsOf(type: Type): readonly Type[] {
  switch (type.kind) {
    case 'word':
      return [];
    case 'object':
      return [...type.members.map((member) => member.type), ...(type.others ? [type.others] : [])];
    case 'array':
    case 'set':
      return [type.item];
    case 'tuple':
      return type.elements.map((element) => element.type);
    default:
      return type.members;
  }
}
