import type { WorldReceiver } from '../../../shared/world/world.js'
import { badWorld } from '../../../shared/world/world-error.js'
import type { Receivers } from '../domain/receivers.js'

type WorldDelivery = NonNullable<WorldReceiver['deliveries']>[number]

/** Delivers to a receiver what a world says it has taken. @throws Refusal `bad_world` if it takes nothing (any more) */
export async function deliver(
  receivers: Receivers,
  token: string,
  { method = 'POST', query = '', headers = {}, body = '', times = 1 }: WorldDelivery,
  where: string,
): Promise<void> {
  const request = {
    method,
    path: `/webhook/receive/${token}`,
    query,
    rawHeaders: Object.entries(headers).flat(),
    body: Buffer.from(body),
  }
  for (let nth = 0; nth < times; nth++) {
    const id = await receivers.take(token, request)
    if (id === undefined) throw badWorld(`${where}.ago`, 'the receiver took nothing any more by then')
  }
}
