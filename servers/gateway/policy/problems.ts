import { Refusal } from '../../../shared/errors.js'
import { cut } from '../../../shared/util/shown.js'
import type { Warning } from './model.js'

/** One thing wrong with the text of a policy. */
export interface Problem {
  /** From 1. */
  readonly line: number
  /** Where in the policy, e.g. `tools.claim_token.limits[0].max`; empty for the text as a whole. */
  readonly key: string
  /** What is wrong with it, and its value. */
  readonly message: string
  readonly remedy: string
}

/** A policy that is not enforced at all, since its text is not as it should be. */
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

/** What is found while a policy is read: all of it is gathered before anything is refused. */
export class Findings {
  readonly problems: Problem[] = []
  readonly warnings: Warning[] = []

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
