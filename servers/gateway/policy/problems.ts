import { Refusal } from '../../../shared/errors.js'
import { cut } from '../../../shared/util/shown.js'
import { type DialectVersion, includesVersion, NEWEST_VERSION } from './dialect-version.js'
import type { Plain, Warning } from './model.js'

/** One thing wrong with the text of a policy. */
export interface Problem {
  /** From 1. */
  readonly line: number
  /** Path in the policy, e.g. `tools.claim_token.limits[0].max`. Empty for the text as a whole. */
  readonly key: string
  /** The problem, and the value. */
  readonly message: string
  readonly remedy: string
}

/** Refuses a policy whose text is wrong. No part of it is enforced. */
export class PolicyRefusal extends Refusal {
  constructor(
    readonly file: string,
    readonly problems: readonly Problem[],
  ) {
    super('bad_policy', problems.map(problem => sentenceOf(file, problem)).join('\n'))
  }
}

/** `policy.json:7: tools.x.limits[0].max is "30": a whole number, 1 or more`. */
export function sentenceOf(file: string, { line, key, message, remedy }: Problem): string {
  return `${file}:${line}: ${key === '' ? '' : `${cut(key)} `}${message}: ${remedy}`
}

/** Gathers all problems and warnings of a text before anything is refused. */
export class Findings {
  readonly problems: Problem[] = []
  readonly warnings: Warning[] = []
  #needed: DialectVersion | undefined

  /** @param version of Intercept's language, by which the text is read */
  constructor(readonly version: DialectVersion = NEWEST_VERSION) {}

  /** The version that the text needs; undefined if any will do. */
  get needed(): DialectVersion | undefined {
    return this.#needed
  }

  /**
   * Notes that the text uses what came with a version. In an earlier one it is refused.
   *
   * @param what e.g. `the action require_approval`
   */
  needs(since: DialectVersion, line: number, key: string, what: string): void {
    if (!includesVersion(this.version, since)) {
      const remedy = `${since} has it: read the policy with --dialect ${since}, or leave it out`
      this.refuse(line, key, `is ${what}, which ${this.version} does not have`, remedy)
    } else if (this.#needed === undefined) {
      this.#needed = since
      const message = `${key} is ${what}: the policy needs ${since}`
      this.warn({ code: 'needs_version', level: 'note', message, line })
    }
  }

  refuse(line: number, key: string, message: string, remedy: string): undefined {
    this.problems.push({ line, key, message, remedy })
  }

  warn(warning: Warning): void {
    this.warnings.push(warning)
  }

  /** @throws PolicyRefusal if anything is wrong */
  settle(file: string): void {
    if (this.problems.length > 0) {
      throw new PolicyRefusal(
        file,
        this.problems.toSorted((a, b) => a.line - b.line),
      )
    }
  }
}

/** A value of a policy's text, with its line from 1. Keys are in the order of the text. */
export type Located =
  | { readonly kind: 'map'; readonly line: number; readonly entries: readonly Entry[] }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Located[] }
  | { readonly kind: 'scalar'; readonly line: number; readonly value: string | number | boolean | null }

export interface Entry {
  readonly key: string
  readonly line: number
  readonly value: Located
}

/** The value of `key` in a map. Undefined in anything else. */
export function entryOf(node: Located | undefined, key: string): Located | undefined {
  return node?.kind === 'map' ? node.entries.find(entry => entry.key === key)?.value : undefined
}

/** The value without its lines. */
export function plain(node: Located): Plain {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plain)
  // fromEntries defines its keys, so that one called __proto__ is a key like any other.
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]))
}
