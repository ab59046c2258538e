import type { ServerName } from '../../../shared/util/server-name.js'
import type { Stage } from '../stage/stage.js'
import type { Caller } from './caller.js'

/** A gateway that a rehearsal goes through. */
export interface Way {
  /** For the report. */
  readonly name: string
  /** Whether its windows go by the stage's clock. If not, time cannot be made to pass for it. */
  readonly advances: boolean
  /** How many callers it can tell apart. */
  readonly grants: number
  /** Whether its denials name their rule, as the builtin one's do. */
  readonly namesRules: boolean
  /** @throws Refusal if the gateway cannot be started, or does not answer */
  caller(server: ServerName, as: string): Promise<Caller>
  /** Approves what is pending; tells how many that were. Undefined: it has no approvals that are known here. */
  approve?(): number
  close(): Promise<void>
}

/**
 * Puts a gateway in front of the stage.
 *
 * @param names those who will call: each is a grant
 */
export type OpenWay = (stage: Stage, names: readonly string[]) => Promise<Way>
