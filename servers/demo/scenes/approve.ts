import { z } from 'zod'
import type { Approval } from '../../index.js'
import type { Receiver } from '../resources.js'
import { present, same } from '../show/as-narrated.js'
import type { Narrator } from '../show/narrator.js'
import type { Stage } from '../stage.js'

/** A tool that is hidden, and under another policy waits for a person. */
export async function approve(stage: Stage, tell: Narrator, { inbox }: { inbox: Receiver }): Promise<void> {
  const { control, policies, understudy } = stage
  const { ben } = stage.agents
  const tool = 'delete_resource'
  const args = { token: inbox.token }
  tell.about(
    'The policy hides delete_resource. A second one has a person agree to it; it is published by nobody, but a part',
    `of this demo: ${policies.approval}`,
  )

  const listed = await ben.instanode.tools()
  same(`whether ${tool} is listed`, listed.includes(tool), false)
  const hidden = await ben.instanode.call(tool, args)
  const rule = hidden.denied()
  understudy.journal.expectNothing({ tool })
  await tell.step({
    who: 'ben',
    does: `is shown ${listed.length} tools, not delete_resource, and calls it all the same`,
    saw: `denied by the rule ${rule}`,
    refused: true,
    upstream: hidden.upstream,
  })

  const asked = new Promise<Approval>(resolve => understudy.gateways.instanode.approvals.subscribe(resolve))
  const held = ben.careful.call(tool, args)
  // A call that is not held is answered, and nothing is asked.
  const { id, state } = present('an approval', await Promise.race([asked, held.then(() => undefined)]))
  same('the approval', state, 'pending')
  understudy.journal.expectNothing({ tool })
  await tell.step({
    who: 'ben',
    does: 'calls it under the other policy',
    saw: `nothing yet: his call is held for the approval ${id}`,
    upstream: 'not reached so far',
  })

  await control.gateways.decide(id, 'approve')
  await tell.step({
    who: 'a person',
    does: `agrees, on the control plane: POST /approvals/${id} {"decision":"approve"}`,
  })
  const deleted = await held
  same('the answer', deleted.returned(z.object({ status: z.string() })), { status: 'deleted' })
  const { status } = await fetch(inbox.receive_url)
  same('whether the receiver answers', status < 400, false)
  await tell.step({
    who: 'ben',
    does: 'gets the answer to his call',
    saw: `deleted; the URL of "inbox" answers HTTP ${status}`,
    upstream: deleted.upstream,
  })
}
