import type { Request } from 'express'
import type { Clock } from '../../../shared/clock/clock.js'
import { clientAddress } from '../../../shared/http/listener.js'
import { paramOf } from '../../../shared/http/operation.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { LocalService } from '../domain/local-service.js'
import { checkRoomId } from '../domain/rooms.js'
import type { SafebotLimits } from '../limits.js'

/** The parts of the service that the routes use. */
export interface RestContext {
  local: LocalService
  limits: SafebotLimits
  clock: Clock
  /** Machine time, for connections. */
  machine: Clock
}

export type BodyFields = Readonly<Record<string, unknown>>

/** Returns the fields of a JSON body. A list and a body of another content type have none. */
export function fieldsOf(request: Request): BodyFields {
  const body: unknown = request.body
  return isObject(body) ? body : {}
}

/** Returns the address of a request. The limits count by it. */
export function addressOf({ socket, headers }: Request): string {
  return clientAddress(socket.remoteAddress ?? '', headers['x-forwarded-for'], 'nearest')
}

/** Returns the room of a request's path. @throws ServiceRefusal 400 */
export function roomOf(request: Request): string {
  const room = paramOf(request, 'roomId')
  checkRoomId(room)
  return room
}

/**
 * Returns a whole number of the query. Of several values the first counts.
 *
 * @param standard the value if the parameter is missing, invalid or 0
 */
export function numberOf({ query }: Request, name: string, standard: number): number {
  const [value] = [query[name]].flat()
  return (typeof value === 'string' && Number.parseInt(value, 10)) || standard
}

export function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max)
}

/** Returns the milliseconds that a request may wait: 1 to 90 s. */
export function timeoutMsOf(request: Request): number {
  return clamp(numberOf(request, 'timeout', 30), 1, 90) * 1000
}
