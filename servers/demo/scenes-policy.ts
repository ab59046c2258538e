import { z } from 'zod'
import type { Approval } from '../understudy/index.js'
import { assertEqual, assertPresent } from './assertions.js'
import type { Narrator } from './narrator.js'
import type { Database, Receiver } from './scenes-resources.js'
import type { Stage } from './stage.js'

/** Calls of claim_token in a minute that the published policy allows. */
const LIMIT = 30

/** Ben calls a tool until the rate limit of the policy denies a call. A minute later he calls it again. */
export async function exceedLimit(
  { ben, understudy: { journal, clock } }: Stage,
  narrator: Narrator,
  { token }: Database,
): Promise<void> {
  narrator.about(
    `The policy allows ${LIMIT} calls of claim_token in a minute. Claiming a resource again changes nothing, but counts.`,
  )
  const claimAgain = () => ben.instanode.call('claim_token', { token })
  const countReached = () => journal.entries({ tool: 'claim_token' }).length
  const rest = LIMIT - countReached()
  for (let calls = 0; calls < rest; calls++) (await claimAgain()).returned(z.object({}))
  assertEqual('calls that reached Instanode', countReached(), LIMIT)
  await narrator.step(
    'ben',
    `calls claim_token ${rest} more times`,
    `${rest} results`,
    `reached: ${LIMIT} calls of claim_token in the journal`,
  )

  const over = await claimAgain()
  const rule = over.denied()
  assertEqual('calls that reached Instanode', countReached(), LIMIT)
  await narrator.step(
    'ben',
    `calls it once more: call ${LIMIT + 1}`,
    `denied by the rule ${rule}`,
    `not reached: still ${LIMIT} calls in the journal`,
  )

  await clock.advance(60_000)
  await narrator.step('clock', '+60 s: the next minute begins')
  const next = await claimAgain()
  next.returned(z.object({}))
  await narrator.step('ben', 'calls it again', 'a result', next.upstream)
}

/** Ben calls a hidden tool. Under another policy, the call waits until a person approves it. */
export async function approveDeletion(stage: Stage, narrator: Narrator, inbox: Receiver): Promise<void> {
  const { ben, control, policies, understudy } = stage
  const tool = 'delete_resource'
  const args = { token: inbox.token }
  narrator.about(
    'The published policy hides delete_resource. A second policy, made for this demo, requires an approval:',
    policies.approval,
  )

  const listed = await ben.instanode.listTools()
  assertEqual(`whether ${tool} is listed`, listed.includes(tool), false)
  const hidden = await ben.instanode.call(tool, args)
  const rule = hidden.denied()
  understudy.journal.expectNothing({ tool })
  await narrator.step(
    'ben',
    `lists ${listed.length} tools, without delete_resource, and calls delete_resource anyway`,
    `denied by the rule ${rule}`,
    hidden.upstream,
  )

  const requested = new Promise<Approval>(resolve =>
    understudy.gateways.instanode.approvals.subscribe(resolve),
  )
  const pending = ben.withApproval.call(tool, args)
  // A call that needs no approval is answered at once, and `requested` never resolves.
  const approval = await Promise.race([requested, pending.then(() => undefined)])
  const { id, state } = assertPresent('the approval', approval)
  assertEqual('the state of the approval', state, 'pending')
  understudy.journal.expectNothing({ tool })
  await narrator.step(
    'ben',
    'calls it under the second policy',
    `no answer yet: the call waits for the approval ${id}`,
    'not reached so far',
  )

  await control.gateways.decide(id, 'approve')
  await narrator.step(
    'a person',
    `approves it at the control plane: POST /approvals/${id} {"decision":"approve"}`,
  )
  const deleted = await pending
  assertEqual('the answer', deleted.returned(z.object({ status: z.string() })), { status: 'deleted' })
  const { status } = await fetch(inbox.receive_url)
  assertEqual('the status of the receiver', status, 410)
  await narrator.step(
    'ben',
    'gets the answer to the call',
    `deleted; the URL of "inbox" answers HTTP ${status}`,
    deleted.upstream,
  )
}
