import type { Clock } from '../../../shared/clock/clock.js'
import type { HttpCall } from '../../../shared/http/http-call.js'
import { clientAddress } from '../../../shared/http/listener.js'
import type { LocalService } from '../domain/local-service.js'
import { checkRoomId } from '../domain/rooms.js'
import type { SafebotLimits } from '../limits.js'

/** What the routes work with. */
export interface RestKit {
  local: LocalService
  limits: SafebotLimits
  clock: Clock
  /** The machine's time, for what concerns connections. */
  machine: Clock
}

/** Where a call comes from, for what is counted by that. */
export function addressOf({ peer, headers }: HttpCall): string {
  return clientAddress(peer, headers['x-forwarded-for'], 'nearest')
}

/** The room of a call's path. @throws ServiceRefusal 400 */
export function roomOf({ params }: HttpCall): string {
  const { room = '' } = params
  checkRoomId(room)
  return room
}

/**
 * A whole number of the query.
 *
 * @param standard what it is if it is missing, none, or 0
 */
export function numberOf({ query }: HttpCall, name: string, standard: number): number {
  return Number.parseInt(query.get(name) ?? '', 10) || standard
}

export function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max)
}

/** How long a call may be parked: 1 to 90 s. */
export function timeoutMsOf(call: HttpCall): number {
  return clamp(numberOf(call, 'timeout', 30), 1, 90) * 1000
}
