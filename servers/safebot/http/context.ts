import type { Request } from 'express'
import type { Clock } from '../../../shared/clock/clock.js'
import { clientAddress } from '../../../shared/http/listener.js'
import { paramOf } from '../../../shared/http/operation.js'
import { isObject } from '../../../shared/util/objects.js'
import type { LocalService } from '../domain/local-service.js'
import { checkRoomId } from '../domain/rooms.js'
import type { SafebotLimits } from '../limits.js'

/** The parts of the server that the routes use. */
export interface RestContext {
  local: LocalService
  limits: SafebotLimits
  clock: Clock
  /** Machine time, for the keep-alives of event streams. */
  machine: Clock
}

/** The fields of a request body before they are checked. */
export type BodyFields = Readonly<Record<string, unknown>>

/**
 * Returns the fields of a JSON body. As in the real service, a list or a body of another content type has no
 * fields.
 */
export function fieldsOf(request: Request): BodyFields {
  const body: unknown = request.body
  return isObject(body) ? body : {}
}

/**
 * Returns the client address of a request, for the limits. It is the socket's address, or `X-Forwarded-For`
 * from a proxy on this machine.
 */
export function addressOf({ socket, headers }: Request): string {
  return clientAddress(socket.remoteAddress ?? '', headers['x-forwarded-for'], 'nearest')
}

/**
 * Returns the room id in the path of a request.
 *
 * @throws ServiceRefusal 400 for an invalid room id
 */
export function roomOf(request: Request): string {
  const room = paramOf(request, 'roomId')
  checkRoomId(room)
  return room
}

/**
 * Returns a whole number from the query. If the parameter is repeated, its first value counts.
 *
 * @param fallback the result if the parameter is missing, invalid or 0
 */
export function numberOf({ query }: Request, name: string, fallback: number): number {
  const [value] = [query[name]].flat()
  return (typeof value === 'string' && Number.parseInt(value, 10)) || fallback
}

/** Returns `value`, or the nearer limit if the value is below `min` or above `max`. */
export function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max)
}

/** Returns the milliseconds that a request may wait: 1 to 90 s, default 30 s. The service's numbers. */
export function timeoutMsOf(request: Request): number {
  return clamp(numberOf(request, 'timeout', 30), 1, 90) * 1000
}
