import { Clock } from '../clock/clock.js'
import { Refusal } from '../errors.js'
import { durationMs } from './duration.js'
import { badWorld } from './world.js'

/** Something that has happened before the start. */
export interface SeedEvent {
  /** Milliseconds before the start. */
  readonly agoMs: number
  /** Path of the event in the world, such as `world.rooms[0].messages[2]`. */
  readonly where: string
  /** Carries out the event. The clock shows its instant. */
  run(): Promise<void>
}

/**
 * A clock that can be made to live through what has happened.
 *
 * @param now the instant of the start
 * @param agoMs how long before it the first thing happened
 */
export function seedClock(now: number, agoMs: number): Clock {
  return new Clock({ mode: 'manual', start: now - agoMs })
}

/** Returns an age in a world, in milliseconds. */
export function agoMsOf(ago: string | undefined): number {
  return ago === undefined ? 0 : (durationMs(ago) ?? 0)
}

/** Returns the age of the first event. */
export function firstOf(happenings: readonly SeedEvent[]): number {
  return happenings.reduce((most, { agoMs }) => Math.max(most, agoMs), 0)
}

/**
 * Replays events in the order of their time. Events of the same time keep their order in the list. The clock then
 * shows the start. So the rules of the service create a world's state, and an impossible state is refused.
 *
 * @throws Refusal `bad_world` if a rule of the service refuses an event
 */
export async function replay(clock: Clock, now: number, happenings: readonly SeedEvent[]): Promise<void> {
  const inOrder = happenings.toSorted((one, other) => other.agoMs - one.agoMs)
  for (const { agoMs, where, run: happen } of inOrder) {
    const ahead = now - agoMs - clock.now()
    if (ahead > 0) await clock.advance(ahead)
    try {
      await happen()
    } catch (error) {
      if (error instanceof Refusal && error.code !== 'bad_world') throw badWorld(where, error.sentence)
      throw error
    }
  }
  await clock.advance(now - clock.now())
}

/** The service in which things happen, once there is one: what is to happen is planned before it. */
export function existing<Service>(service: Service | undefined): Service {
  if (service === undefined) throw new Error('nothing can happen before there is a service')
  return service
}
