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
  readonly collection: Collection
  readonly key: string
  /** The value before the change. Undefined: the record did not exist. */
  readonly before: unknown
}

/** The methods of a table or a list that its partition calls. */
interface Collection {
  readonly name: string
  readonly size: number
  /** Returns the value of a record, or undefined if the record does not exist. */
  at(key: string): unknown
  /** Sets a record without noting the change. Deletes the record if `value` is undefined. */
  put(key: string, value: unknown): void
  records(): Iterable<RecordDump>
}

/** Records by key. Iterates in the order in which the keys were added. The order can differ between replicas. */
export class Table<Value> implements Collection {
  readonly #values = new Map<string, Value>()
  readonly #changes: Change[]

  constructor(
    readonly name: string,
    changes: Change[],
  ) {
    this.#changes = changes
  }

  get size(): number {
    return this.#values.size
  }

  get(key: string): Value | undefined {
    return this.#values.get(key)
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  /** Sets a record. @throws Refusal `bad_record` for a key that cannot be stored */
  set(key: string, value: Value): void {
    checkName(key)
    this.#changes.push({ collection: this, key, before: this.#values.get(key) })
    this.#values.set(key, value)
  }

  /** Deletes a record. @returns whether the record existed */
  delete(key: string): boolean {
    const before = this.#values.get(key)
    if (before === undefined) return false
    this.#changes.push({ collection: this, key, before })
    return this.#values.delete(key)
  }

  clear(): void {
    for (const key of [...this.#values.keys()]) this.delete(key)
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

  at(key: string): unknown {
    return this.#values.get(key)
  }

  put(key: string, value: unknown): void {
    if (value === undefined) this.#values.delete(key)
    else this.#values.set(key, asValue<Value>(value))
  }

  *records(): Iterable<RecordDump> {
    for (const [key, value] of this.#values) yield [this.name, key, value]
  }
}

/** Records in the order of their numbers. There may be gaps between the numbers. */
export class List<Value> implements Collection {
  readonly #numbers: number[] = []
  readonly #values: Value[] = []
  readonly #changes: Change[]

  constructor(
    readonly name: string,
    changes: Change[],
  ) {
    this.#changes = changes
  }

  get size(): number {
    return this.#values.length
  }

  get first(): Value | undefined {
    return this.#values[0]
  }

  get firstNumber(): number | undefined {
    return this.#numbers[0]
  }

  get lastNumber(): number | undefined {
    return this.#numbers.at(-1)
  }

  get(number: number): Value | undefined {
    const place = this.#placeAfter(number - 1)
    return this.#numbers[place] === number ? this.#values[place] : undefined
  }

  set(number: number, value: Value): void {
    this.#changes.push({ collection: this, key: String(number), before: this.get(number) })
    this.#put(number, value)
  }

  /** Deletes a record. @returns whether the record existed */
  delete(number: number): boolean {
    const before = this.get(number)
    if (before === undefined) return false
    this.#changes.push({ collection: this, key: String(number), before })
    this.#put(number, undefined)
    return true
  }

  clear(): void {
    for (const number of [...this.#numbers]) this.delete(number)
  }

  /** Returns the first `limit` values whose numbers are greater than `number`. */
  after(number: number, limit: number): Value[] {
    const from = this.#placeAfter(number)
    return this.#values.slice(from, from + limit)
  }

  /** Returns the first value that has a number greater than `number` and that `test` accepts. */
  find(number: number, test: (value: Value) => boolean): Value | undefined {
    for (let place = this.#placeAfter(number); place < this.#values.length; place++) {
      const value = this.#values[place]
      if (value !== undefined && test(value)) return value
    }
    return undefined
  }

  values(): IterableIterator<Value> {
    return this.#values.values()
  }

  at(key: string): unknown {
    return this.get(Number(key))
  }

  put(key: string, value: unknown): void {
    this.#put(Number(key), value === undefined ? undefined : asValue<Value>(value))
  }

  *records(): Iterable<RecordDump> {
    for (const [place, value] of this.#values.entries())
      yield [this.name, String(this.#numbers[place]), value]
  }

  #put(number: number, value: Value | undefined): void {
    const place = this.#placeAfter(number - 1)
    const known = this.#numbers[place] === number
    if (value === undefined) {
      if (!known) return
      this.#numbers.splice(place, 1)
      this.#values.splice(place, 1)
    } else if (known) this.#values[place] = value
    else {
      this.#numbers.splice(place, 0, number)
      this.#values.splice(place, 0, value)
    }
  }

  /** Returns the index of the first number that is greater than `number`. */
  #placeAfter(number: number): number {
    const numbers = this.#numbers
    let low = 0
    let high = numbers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((numbers[middle] ?? 0) <= number) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Casts a stored value without a check. `prepareSchema` refuses a store of another version, whose values may differ. */
function asValue<Value>(value: unknown): Value {
  return value as Value
}

/** The records of one partition, and the changes of the current transaction. */
export class Partition {
  readonly kind: string
  /** The version of the latest committed change that this replica knows. */
  version = 0
  /** A collection that was read from the store starts as a table. It becomes a list when `list` is called for it. */
  readonly #collections = new Map<string, Collection>()
  readonly #changes: Change[] = []
  #summary: Summary = EMPTY_SUMMARY
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

  get summary(): Summary {
    return this.#summary
  }

  set summary(summary: Summary) {
    this.#summary = summary
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
    const [before, now] = [this.#summaryBefore, this.#summary]
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
    this.#summary = summary
    this.#summaryBefore = summary
  }

  /** Removes all records from memory, so that the partition is read again. */
  forget(): void {
    this.#collections.clear()
  }

  /** Gives a partition without records the empty summary. Returns whether the transaction has changed anything. */
  finish(): boolean {
    if (this.#changes.length > 0 && this.empty) this.#summary = EMPTY_SUMMARY
    return this.#changes.length > 0 || this.#summary !== this.#summaryBefore
  }

  /** Ends the transaction and keeps its changes. */
  commit(): void {
    this.#changes.length = 0
    this.#summaryBefore = this.#summary
  }

  /** Ends the transaction and undoes its changes. */
  undo(): void {
    for (let change = this.#changes.pop(); change !== undefined; change = this.#changes.pop()) {
      change.collection.put(change.key, change.before)
    }
    this.#summary = this.#summaryBefore
  }

  dump(): PartitionDump {
    const records = [...this.#collections.values()].flatMap(collection => [...collection.records()])
    return { name: this.name, summary: this.#summary, records: records.sort(byKey) }
  }

  #added<Added extends Collection>(collection: Added): Added {
    this.#collections.set(collection.name, collection)
    return collection
  }
}

function byKey([collection, key]: RecordDump, [other, otherKey]: RecordDump): number {
  if (collection !== other) return collection < other ? -1 : 1
  return key < otherKey ? -1 : 1
}
