import { z } from 'zod'
import { approval } from '../../../shared/schemas/approval.js'
import { gatewayEntry } from '../../../shared/schemas/audit.js'
import type { ServerEvent } from './events.js'

/** What the stream of the gateways tells; `id` is where to go on from. */
const gatewayEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('audit'), id: z.string(), entry: gatewayEntry }),
  z.object({ type: z.literal('approval'), id: z.string(), approval }),
  z.object({ type: z.literal('cleared'), id: z.string() }),
  z.object({ type: z.literal('gap'), id: z.string(), dropped: z.int() }),
])

export type GatewayEvent = z.infer<typeof gatewayEvent>

export function gatewayEventOf({ type, id, data }: ServerEvent): GatewayEvent {
  const more = type === 'audit' ? { entry: data } : type === 'approval' ? { approval: data } : Object(data)
  return gatewayEvent.parse({ type, id, ...more })
}
