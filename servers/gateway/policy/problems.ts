import { Refusal } from '../../../shared/errors.js'
import { cut } from '../../../shared/util/shown.js'
import { type DialectVersion, includesVersion, NEWEST_VERSION } from './dialect-version.js'
import type { Plain, Warning } from './model.js'

/** One problem in the text of a policy. */
export interface Problem {
  /** The line of the problem, from 1. */
  readonly line: number
  /**
   * Path in the policy, e.g. `tools.claim_token.limits[0].max`. Empty if the problem is not about one value.
   */
  readonly key: string
  /** The problem, in most cases with the value that caused it. */
  readonly message: string
  /** How to repair the problem. */
  readonly remedy: string
}

/** Thrown if the text of a policy has problems. No part of such a policy is enforced. */
export class PolicyRefusal extends Refusal {
  constructor(
    readonly file: string,
    readonly problems: readonly Problem[],
  ) {
    super('bad_policy', problems.map(problem => sentenceOf(file, problem)).join('\n'))
  }
}

/**
 * Formats a problem as one line, such as `policy.json:7: tools.x.limits[0].max is "30": write a whole number,
 * 1 or more`.
 */
export function sentenceOf(file: string, { line, key, message, remedy }: Problem): string {
  return `${file}:${line}: ${key === '' ? '' : `${cut(key)} `}${message}: ${remedy}`
}

/** Collects the problems and warnings about the text of a policy, so that one error can show all problems. */
export class Findings {
  readonly problems: Problem[] = []
  readonly warnings: Warning[] = []
  #needed: DialectVersion | undefined

  /** @param version the version of Intercept's language by which the text is read */
  constructor(readonly version: DialectVersion = NEWEST_VERSION) {}

  /** The earliest version that has all features of the text. Undefined if every version has them. */
  get needed(): DialectVersion | undefined {
    return this.#needed
  }

  /**
   * Reports that the text uses a feature that was added in the version `since`. The feature is refused if the
   * text is read by an earlier version.
   *
   * @param what the name of the feature, e.g. `the block approvals`
   */
  needs(since: DialectVersion, line: number, key: string, what: string): void {
    if (!includesVersion(this.version, since)) {
      const remedy = `${since} has it: read the policy with --dialect ${since}, or remove it`
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

  /**
   * Throws if any problem was reported. @throws PolicyRefusal with all problems, in the order of their lines
   */
  settle(file: string): void {
    if (this.problems.length > 0) {
      throw new PolicyRefusal(
        file,
        this.problems.toSorted((a, b) => a.line - b.line),
      )
    }
  }
}

/** A value in the text of a policy, with its line number. The first line is 1. */
export type Located =
  | { readonly kind: 'map'; readonly line: number; readonly entries: readonly Entry[] }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Located[] }
  | { readonly kind: 'scalar'; readonly line: number; readonly value: string | number | boolean | null }

export interface Entry {
  readonly key: string
  readonly line: number
  readonly value: Located
}

/** Returns the value of `key` in a map. Returns undefined if the key is missing or the node is not a map. */
export function entryOf(node: Located | undefined, key: string): Located | undefined {
  return node?.kind === 'map' ? node.entries.find(entry => entry.key === key)?.value : undefined
}

/** Returns the value without line numbers. */
export function plain(node: Located): Plain {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plain)
  // `fromEntries` treats `__proto__` as a normal key. An assignment would change the prototype.
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]))
}
