import { defined } from '../../shared/util/defined.js'
import { isObject } from '../../shared/util/is-object.js'
import type { ServerName } from '../../shared/util/known-tools.js'
import type { PolicyEngine } from '../gateway/policy/model.js'
import { type ListRecord, type RelayRecord, toolsIn } from './judge-exchange.js'
import type { ListStep, PlannedCall, RelayStep } from './plan/step.js'
import type { Stage } from './stage/stage.js'
import type { Answer, Caller } from './via/caller.js'
import type { Way } from './via/gateway.js'

/** How long a request may take to get through a gateway, in milliseconds. */
export const THROUGH_MS = 1500

/** The most pages of a list that are read. */
const MAX_PAGES = 100

export interface ExchangeOptions {
  readonly stage: Stage
  readonly way: Way
  /** The decision engine that is asked apart from the gateway. Undefined if a scenario alone says what is to happen. */
  readonly engine: PolicyEngine | undefined
}

/** Reads all pages of a list. */
export async function readList(
  { stage, way, engine }: ExchangeOptions,
  { list: server, as, paged = false, hides: meant }: ListStep,
): Promise<ListRecord> {
  const listing = stage.listing(server)
  const hides = (tool: string) => engine?.hides(tool) ?? meant?.includes(tool) ?? false
  const [first = '', ...others] = listing.keys()
  // The hidden tools have to lie behind the first page.
  if (paged) stage.page(hides(first) && !others.some(hides) ? [0] : 1)
  const pages = await readPages(await way.caller(server, as))
  if (paged) stage.page()
  return { pages, listing, hides, ...defined({ meant }) }
}

/** Asks a gateway for all pages of its list of tools. */
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

/** Sends notifications both ways, around a call that is cancelled and one that reports progress. */
export async function relayed(
  options: ExchangeOptions,
  { relay: server, held, reporting }: RelayStep,
): Promise<RelayRecord> {
  const cancelled = held === undefined ? null : await isCancelled(options, server, held)
  const progress = reporting === undefined ? null : await reportsProgress(options, server, reporting)
  return { uninitialized: uninitialized(options.stage, server), cancelled, progress }
}

/** Cancels a call that the upstream holds. @returns whether the cancellation reached the upstream; null if the call is denied */
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
  stage.hold([call])
  const { id, answer } = caller.ask('tools/call', { name: call.tool, arguments: args })
  // A cancelled call need not be answered.
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

/** @returns whether the progress of a call reaches its caller; null if the call is denied or not answered */
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

/** Sessions at the upstream that had calls and were never said to be initialized. */
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
