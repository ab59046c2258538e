import { closestName } from '../../../shared/util/closest-name.js'
import { shown } from '../../../shared/util/shown.js'
import type { DialectVersion } from './dialect-version.js'
import type { Plain, Warning } from './model.js'
import { type Findings, type Located, plain } from './problems.js'

/**
 * A value in the text of a policy, with its path. A method that expects a certain kind of value reports a
 * problem and returns undefined if the value is of another kind.
 */
export class Place {
  constructor(
    readonly node: Located,
    readonly path: string,
    readonly findings: Findings,
    /** The line of the key in front of the value. If there is no key, the line of the value. */
    readonly line = node.line,
  ) {}

  /** Reports a problem with this value. @param remedy how to repair the problem */
  refuse(message: string, remedy: string): undefined {
    return this.findings.refuse(this.line, this.path, message, remedy)
  }

  /** Reports a problem that quotes this value. */
  mismatch(remedy: string): undefined {
    return this.refuse(`is ${shown(this.plain())}`, remedy)
  }

  warn(code: string, message: string, level: Warning['level'] = 'warning'): void {
    const text = this.path === '' ? message : `${this.path} ${message}`
    this.findings.warn({ code, level, message: text, line: this.line })
  }

  /**
   * Reports that this value is a feature that was added in the version `since`. See {@link Findings.needs}.
   */
  needs(since: DialectVersion, what: string): void {
    this.findings.needs(since, this.line, this.path, what)
  }

  plain(): Plain {
    return plain(this.node)
  }

  /** Returns the entries of a map. All keys are allowed. */
  entries(remedy = 'write keys with values'): [string, Place][] | undefined {
    if (this.node.kind !== 'map') return this.mismatch(remedy)
    return this.node.entries.map(({ key, value, line }) => [
      key,
      new Place(value, this.path === '' ? key : `${this.path}.${key}`, this.findings, line),
    ])
  }

  /** Returns the fields of a map. Reports a problem for each key that is not in `known`. */
  fields<Key extends string>(known: readonly Key[]): Fields<Key> | undefined {
    const entries = this.entries(`write a map with the keys ${known.join(', ')}`)
    if (entries === undefined) return undefined
    const found = new Map<string, Place>()
    for (const [key, place] of entries) {
      if (known.some(name => name === key)) found.set(key, place)
      else this.findings.refuse(place.line, this.path, `does not know ${shown(key)}`, suggestion(key, known))
    }
    return new Fields(this, found)
  }

  items(remedy = 'write a list'): Place[] | undefined {
    if (this.node.kind !== 'list') return this.mismatch(remedy)
    return this.node.items.map((item, at) => new Place(item, `${this.path}[${at}]`, this.findings))
  }

  /** Returns the string, if it is not blank. */
  text(remedy = 'write a string that is not blank'): string | undefined {
    const value = this.plain()
    return typeof value === 'string' && value.trim() !== '' ? value : this.mismatch(remedy)
  }

  wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.plain()
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
    const most = max === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${max}`
    return this.mismatch(`write a whole number, ${min} ${most}`)
  }

  oneOf<Word extends string | boolean>(words: readonly Word[], remedy?: string): Word | undefined {
    const value = this.plain()
    const word = words.find(known => known === value)
    return word ?? this.mismatch(remedy ?? suggestion(value, words))
  }
}

/** The fields of a map. */
export class Fields<Key extends string> {
  constructor(
    readonly place: Place,
    readonly found: ReadonlyMap<string, Place>,
  ) {}

  get(key: Key): Place | undefined {
    return this.found.get(key)
  }

  require(key: Key, remedy: string): Place | undefined {
    return this.get(key) ?? this.place.refuse(`has no ${key}`, remedy)
  }
}

function suggestion(given: Plain, known: readonly (string | boolean)[]): string {
  const words = known.filter(word => typeof word === 'string')
  const near = typeof given === 'string' ? closestName(given, words) : undefined
  const all = `write one of ${known.join(', ')}`
  return near === undefined ? all : `${JSON.stringify(near)} is probably meant; ${all}`
}
