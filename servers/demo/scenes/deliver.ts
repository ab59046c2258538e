import { z } from 'zod'
import { madeReceiver, type Receiver } from '../resources.js'
import { same } from '../show/as-narrated.js'
import type { Narrator } from '../show/narrator.js'
import type { Stage } from '../stage.js'

const kept = z.object({ requests: z.array(z.object({ method: z.string(), body: z.string() })) })

/** A receiver is made, and takes something. */
export async function deliver({ agents: { ana } }: Stage, tell: Narrator): Promise<Receiver> {
  tell.about('A webhook receiver is a URL: what is sent to it is kept, and can be read back.')
  const made = await ana.instanode.call('create_webhook', { name: 'inbox' })
  const inbox = made.returned(madeReceiver)
  await tell.step({
    who: 'ana',
    does: 'calls create_webhook, name "inbox"',
    saw: 'a receiver, and its URL',
    upstream: made.upstream,
  })

  const body = '{"paid":true}'
  const delivery = await fetch(inbox.receive_url, { method: 'POST', body })
  same('the answer to the delivery', delivery.status, 200)
  await tell.step({ who: 'a shop', does: `POSTs ${body} to that URL`, saw: 'HTTP 200' })

  const { requests } = kept.parse(await (await fetch(inbox.receive_url)).json())
  same('what the receiver keeps', requests, [{ method: 'POST', body }])
  await tell.step({ who: 'ana', does: 'GETs that URL', saw: `one request: POST ${body}` })
  return inbox
}
