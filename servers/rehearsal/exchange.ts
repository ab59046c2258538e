import type { ServerName } from '../../shared/util/known-tools.js'
import { defined, isObject } from '../../shared/util/objects.js'
import type { PolicyEngine } from '../gateway/policy/model.js'
import { type ListRecord, type RelayRecord, toolsIn } from './judge-exchange.js'
import type { ListStep, PlannedCall, RelayStep } from './plan/step.js'
import type { Stage } from './stage/stage.js'
import type { Answer, Caller } from './via/caller.js'
import type { Way } from './via/gateway.js'

/** Maximum time that a request takes from the caller through the gateway to the upstream, in milliseconds. */
export const THROUGH_MS = 1500

/** Maximum number of pages that are read from one list of tools. */
const MAX_PAGES = 100

export interface ExchangeOptions {
  readonly stage: Stage
  readonly way: Way
  /**
   * The rehearsal's own decision engine for the policy. Undefined if there is no policy, and the scenario
   * gives the expected outcomes.
   */
  readonly engine: PolicyEngine | undefined
}

/** Reads all pages of a server's list of tools through the gateway. */
export async function readList(
  { stage, way, engine }: ExchangeOptions,
  { list: server, as, paged = false, hides: expectedHidden }: ListStep,
): Promise<ListRecord> {
  const listing = stage.listing(server)
  const hides = (tool: string) => engine?.hides(tool) ?? expectedHidden?.includes(tool) ?? false
  const [first = '', ...others] = listing.keys()
  // These page sizes put a hidden tool on a later page. A gateway may filter only the first page.
  if (paged) stage.page(hides(first) && !others.some(hides) ? [0] : 1)
  const pages = await readPages(await way.caller(server, as))
  if (paged) stage.page()
  return { pages, listing, hides, ...defined({ expectedHidden }) }
}

/** Reads all pages of a gateway's list of tools. */
export async function readPages(caller: Caller): Promise<Answer[]> {
  const pages: Answer[] = []
  let cursor: unknown
  do {
    const page = await caller.ask('tools/list', cursor === undefined ? undefined : { cursor }).answer
    pages.push(page)
    cursor = toolsIn(page) === undefined ? undefined : cursorOf(page)
  } while (cursor !== undefined && pages.length < MAX_PAGES)
  return pages
}

/** Tests notifications in both directions. One call is cancelled, and another call reports progress. */
export async function relayed(
  options: ExchangeOptions,
  { relay: server, cancelled: toCancel, reporting }: RelayStep,
): Promise<RelayRecord> {
  const cancelled = toCancel === undefined ? null : await isCancelled(options, server, toCancel)
  const progress = reporting === undefined ? null : await reportsProgress(options, server, reporting)
  return { uninitialized: uninitialized(options.stage, server), cancelled, progress }
}

/**
 * Cancels a call that the upstream delays.
 *
 * @returns true if the cancellation reached the upstream. Null if the call was not made, or did not reach the
 *   upstream
 */
async function isCancelled(
  { stage, way, engine }: ExchangeOptions,
  server: ServerName,
  call: PlannedCall,
): Promise<boolean | null> {
  if (engine === undefined) return null
  const args = await stage.resolve(call.tool, call.args, call.as)
  const decision = engine.decide({ tool: call.tool, args, grant: call.as })
  if (decision.outcome !== 'allow') return null
  decision.settle('kept')
  const caller = await way.caller(server, call.as)
  stage.delay([call])
  const { id, answer } = caller.ask('tools/call', { name: call.tool, arguments: args })
  // The gateway need not answer a cancelled call.
  answer.catch(() => undefined)
  const mark = stage.mark()
  const arrived = () => stage.calls(mark)[0]
  if (!(await stage.until(() => arrived() !== undefined, THROUGH_MS))) {
    await stage.release()
    return null
  }
  await caller.notify('notifications/cancelled', { requestId: id, reason: 'the rehearsal cancels it' })
  await stage.until(() => arrived()?.entry.outcome !== undefined, THROUGH_MS)
  const cancelled = arrived()?.entry.outcome === 'aborted'
  await stage.release()
  return cancelled
}

/**
 * Makes a call that reports progress.
 *
 * @returns true if the progress reached the caller. Null if the call was not made, or its answer is not
 *   JSON-RPC
 */
async function reportsProgress(
  { stage, way, engine }: ExchangeOptions,
  server: ServerName,
  call: PlannedCall,
): Promise<boolean | null> {
  if (engine === undefined) return null
  const args = await stage.resolve(call.tool, call.args, call.as, true)
  const decision = engine.decide({ tool: call.tool, args, grant: call.as })
  if (decision.outcome !== 'allow') return null
  decision.settle('kept')
  const progressToken = 'rehearsal-progress'
  const caller = await way.caller(server, call.as)
  const params = { name: call.tool, arguments: args, _meta: { progressToken } }
  const answer = await caller.ask('tools/call', params).answer
  if (answer.kind !== 'response') return null
  return answer.others.some(
    message =>
      isObject(message) &&
      message.method === 'notifications/progress' &&
      isObject(message.params) &&
      message.params.progressToken === progressToken,
  )
}

/** Returns the number of upstream sessions with tool calls but without `notifications/initialized`. */
function uninitialized(stage: Stage, server: ServerName): number {
  const requests = stage.arrived(0).filter(({ entry }) => entry.server === server)
  const sessionsWith = (method: string) =>
    new Set(requests.flatMap(({ entry }) => (entry.method === method ? (entry.session ?? []) : [])))
  const initialized = sessionsWith('notifications/initialized')
  return [...sessionsWith('tools/call')].filter(session => !initialized.has(session)).length
}

function cursorOf(page: Answer): unknown {
  const result = page.kind === 'response' ? page.message.result : undefined
  return isObject(result) ? (result.nextCursor ?? undefined) : undefined
}
