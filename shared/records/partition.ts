import { Refusal } from '../errors.js'

/** The figures of a partition that are read without reading its records. */
export interface Summary {
  /** Whether the partition counts in `Totals` and is listed by `Records.partitions`. */
  readonly open: boolean
  /** Number of counted things in the partition, and their size in bytes. The domain decides which things count. */
  readonly entries: number
  readonly bytes: number
  /** Instant of the last activity, in milliseconds since the epoch. */
  readonly activeAt: number
}

/** The sums of all partitions of one kind. */
export interface Totals {
  /** Number of open partitions. */
  readonly open: number
  readonly entries: number
  readonly bytes: number
}

export const NO_TOTALS: Totals = { open: 0, entries: 0, bytes: 0 }

/** All content of one partition as plain data. Equal partitions have equal dumps. */
export interface PartitionDump {
  readonly name: string
  readonly summary: Summary
  readonly records: readonly RecordDump[]
}

export type RecordDump = readonly [collection: string, key: string, value: unknown]

/** `activeAt` of a partition that a sweep for idle partitions ignores. */
export const NEVER_IDLE = Number.MAX_SAFE_INTEGER

export const EMPTY_SUMMARY: Summary = { open: false, entries: 0, bytes: 0, activeAt: NEVER_IDLE }

/** Returns the kind of a partition: the first two parts of its name. */
export function kindOf(partition: string): string {
  return partition.slice(0, partition.indexOf('/', partition.indexOf('/') + 1))
}

/** Returns the id of a partition: everything after its kind. */
export function idOf(partition: string): string {
  return partition.slice(partition.indexOf('/', partition.indexOf('/') + 1) + 1)
}

/** Maximum length of a name or a key. Both are in one index entry, which PostgreSQL limits to 2,704 bytes. */
const MAX_NAME_CHARS = 300

/** Characters that a PostgreSQL text cannot contain. */
const UNWRITABLE = /[\0\p{Surrogate}]/u

/** @throws Refusal `bad_record` for a name or a key that PostgreSQL cannot store, also if the records are in memory */
export function checkName(text: string): void {
  if (text.length > MAX_NAME_CHARS) {
    throw badRecord(`a name has ${text.length} characters`, `${MAX_NAME_CHARS} is the most`)
  }
  if (UNWRITABLE.test(text)) {
    throw badRecord(`${JSON.stringify(text)} has U+0000 or half of a surrogate pair`, 'leave that out')
  }
}

export function badRecord(what: string, remedy: string): Refusal {
  return new Refusal('bad_record', `nothing was kept: ${what}`, remedy)
}

/** A change of one record that has not been committed. */
interface Change {
  readonly collection: AnyCollection
  readonly key: string
  /** The value before the change. Undefined: the record did not exist. */
  readonly before: unknown
}

/** The common part of {@link Table} and {@link List}: notes each change, so that the partition can undo it. */
abstract class Collection<Key extends string | number, Value> {
  readonly #changes: Change[]

  constructor(
    readonly name: string,
    changes: Change[],
  ) {
    this.#changes = changes
  }

  abstract get size(): number
  abstract get(key: Key): Value | undefined
  abstract entries(): Iterable<[Key, Value]>

  /** Sets a record. @throws Refusal `bad_record` for a key that cannot be stored */
  set(key: Key, value: Value): void {
    if (typeof key === 'string') checkName(key)
    this.#changes.push({ collection: this, key: String(key), before: this.get(key) })
    this.write(key, value)
  }

  /** Deletes a record. @returns whether the record existed */
  delete(key: Key): boolean {
    const before = this.get(key)
    if (before === undefined) return false
    this.#changes.push({ collection: this, key: String(key), before })
    this.write(key, undefined)
    return true
  }

  clear(): void {
    for (const [key] of [...this.entries()]) this.delete(key)
  }

  /** For the partition: returns the value of a stored key, or undefined if the record does not exist. */
  at(key: string): unknown {
    return this.get(this.parseKey(key))
  }

  /** For the partition: sets a record without noting the change. Deletes it if `value` is undefined. */
  put(key: string, value: unknown): void {
    // Without a check: `prepareSchema` refuses a store of another version, whose values may differ.
    this.write(this.parseKey(key), value as Value | undefined)
  }

  *records(): Iterable<RecordDump> {
    for (const [key, value] of this.entries()) yield [this.name, String(key), value]
  }

  protected abstract parseKey(text: string): Key
  /** Sets a record, or deletes it if `value` is undefined. */
  protected abstract write(key: Key, value: Value | undefined): void
}

type AnyCollection = Collection<string | number, unknown>

/** Records by key. Iterates in the order in which the keys were added. The order can differ between replicas. */
export class Table<Value> extends Collection<string, Value> {
  readonly #values = new Map<string, Value>()

  get size(): number {
    return this.#values.size
  }

  get(key: string): Value | undefined {
    return this.#values.get(key)
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  keys(): IterableIterator<string> {
    return this.#values.keys()
  }

  values(): IterableIterator<Value> {
    return this.#values.values()
  }

  entries(): IterableIterator<[string, Value]> {
    return this.#values.entries()
  }

  protected parseKey(text: string): string {
    return text
  }

  protected write(key: string, value: Value | undefined): void {
    if (value === undefined) this.#values.delete(key)
    else this.#values.set(key, value)
  }
}

/** Records in the order of their numbers. There may be gaps between the numbers. */
export class List<Value> extends Collection<number, Value> {
  /** In ascending order, each with its value. */
  readonly #entries: [number, Value][] = []

  get size(): number {
    return this.#entries.length
  }

  get first(): Value | undefined {
    return this.#entries[0]?.[1]
  }

  get firstNumber(): number | undefined {
    return this.#entries[0]?.[0]
  }

  get lastNumber(): number | undefined {
    return this.#entries.at(-1)?.[0]
  }

  get(number: number): Value | undefined {
    const entry = this.#entries[this.#placeAfter(number - 1)]
    return entry?.[0] === number ? entry[1] : undefined
  }

  /** Returns the first `limit` values whose numbers are greater than `number`. */
  after(number: number, limit: number): Value[] {
    const from = this.#placeAfter(number)
    return this.#entries.slice(from, from + limit).map(([, value]) => value)
  }

  /** Returns the first value that has a number greater than `number` and that `test` accepts. */
  find(number: number, test: (value: Value) => boolean): Value | undefined {
    for (let place = this.#placeAfter(number); place < this.#entries.length; place++) {
      const entry = this.#entries[place]
      if (entry !== undefined && test(entry[1])) return entry[1]
    }
    return undefined
  }

  values(): Value[] {
    return this.#entries.map(([, value]) => value)
  }

  entries(): Iterable<[number, Value]> {
    return this.#entries
  }

  protected parseKey(text: string): number {
    return Number(text)
  }

  protected write(number: number, value: Value | undefined): void {
    const place = this.#placeAfter(number - 1)
    const known = this.#entries[place]?.[0] === number ? 1 : 0
    if (value === undefined) this.#entries.splice(place, known)
    else this.#entries.splice(place, known, [number, value])
  }

  /** Returns the index of the first number that is greater than `number`. */
  #placeAfter(number: number): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#entries[middle]?.[0] ?? 0) <= number) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The records of one partition, and the changes of the current transaction. */
export class Partition {
  readonly kind: string
  /** The version of the latest committed change that this replica knows. */
  version = 0
  /** A collection that was read from the store starts as a table. It becomes a list when `list` is called for it. */
  readonly #collections = new Map<string, AnyCollection>()
  readonly #changes: Change[] = []
  summary: Summary = EMPTY_SUMMARY
  #summaryBefore: Summary = EMPTY_SUMMARY

  /** Creates a partition without records. @throws Refusal `bad_record` for a name that cannot be stored */
  constructor(readonly name: string) {
    checkName(name)
    this.kind = kindOf(name)
  }

  table<Value>(name: string): Table<Value> {
    const known = this.#collections.get(name)
    if (known instanceof Table) return known
    if (known !== undefined) throw new TypeError(`${this.name}: ${name} is both a table and a list`)
    return this.#added(new Table<Value>(name, this.#changes))
  }

  list<Value>(name: string): List<Value> {
    const known = this.#collections.get(name)
    if (known instanceof List) return known
    const list = this.#added(new List<Value>(name, this.#changes))
    for (const [, key, value] of known?.records() ?? []) list.put(key, value)
    return list
  }

  get empty(): boolean {
    for (const { size } of this.#collections.values()) if (size > 0) return false
    return true
  }

  /** Returns each record that the transaction has changed, with its current value. A deleted record has the value undefined. */
  changes(): RecordDump[] {
    const seen = new Set<string>()
    const changed: RecordDump[] = []
    for (const { collection, key } of this.#changes) {
      const mark = `${collection.name} ${key}`
      if (seen.has(mark)) continue
      seen.add(mark)
      changed.push([collection.name, key, collection.at(key)])
    }
    return changed
  }

  /** Adds the changes of the transaction to the totals of the partition's kind. @param totals the committed totals */
  changedTotals(totals: Totals): Totals {
    const [before, now] = [this.#summaryBefore, this.summary]
    if (now === before) return totals
    return {
      open: totals.open + Number(now.open) - Number(before.open),
      entries: totals.entries + now.entries - before.entries,
      bytes: totals.bytes + now.bytes - before.bytes,
    }
  }

  /** Applies committed records and the committed summary. An undefined value deletes its record. */
  adopt(records: readonly RecordDump[], summary: Summary): void {
    for (const [name, key, value] of records) {
      const collection = this.#collections.get(name) ?? this.table(name)
      collection.put(key, value)
    }
    this.summary = summary
    this.#summaryBefore = summary
  }

  /** Removes all records from memory, so that the partition is read again. */
  forget(): void {
    this.#collections.clear()
  }

  /** Gives a partition without records the empty summary. Returns whether the transaction has changed anything. */
  finish(): boolean {
    if (this.#changes.length > 0 && this.empty) this.summary = EMPTY_SUMMARY
    return this.#changes.length > 0 || this.summary !== this.#summaryBefore
  }

  /** Ends the transaction and keeps its changes. */
  commit(): void {
    this.#changes.length = 0
    this.#summaryBefore = this.summary
  }

  /** Ends the transaction and undoes its changes. */
  undo(): void {
    for (let change = this.#changes.pop(); change !== undefined; change = this.#changes.pop()) {
      change.collection.put(change.key, change.before)
    }
    this.summary = this.#summaryBefore
  }

  dump(): PartitionDump {
    const records = [...this.#collections.values()].flatMap(collection => [...collection.records()])
    return { name: this.name, summary: this.summary, records: records.sort(byKey) }
  }

  #added<Added extends AnyCollection>(collection: Added): Added {
    this.#collections.set(collection.name, collection)
    return collection
  }
}

function byKey([collection, key]: RecordDump, [other, otherKey]: RecordDump): number {
  if (collection !== other) return collection < other ? -1 : 1
  return key < otherKey ? -1 : 1
}
