import { Clock } from '../clock/clock.js'
import { Refusal } from '../errors.js'
import { durationMs } from './duration.js'
import { badWorld } from './world.js'

/** An event that happened before the start of the instance. */
export interface SeedEvent {
  /** The age of the event: milliseconds from the event to the start. */
  readonly agoMs: number
  /** Path of the event in the world, such as `world.rooms[0].messages[2]`. */
  readonly where: string
  /** Carries out the event. The clock shows the instant of the event. */
  run(): Promise<void>
}

/**
 * Returns a manual clock that shows the instant of the first event. {@link replay} moves it to the start.
 *
 * @param now the instant of the start, in milliseconds since the epoch
 * @param agoMs milliseconds between the first event and the start
 */
export function seedClock(now: number, agoMs: number): Clock {
  return new Clock({ mode: 'manual', start: now - agoMs })
}

/**
 * Converts the age of an event in a world to milliseconds. Without an age, the event happens at the start.
 */
export function agoMsOf(ago: string | undefined): number {
  return ago === undefined ? 0 : (durationMs(ago) ?? 0)
}

/** Returns the age of the first event in milliseconds, or 0 if there are no events. */
export function firstOf(events: readonly SeedEvent[]): number {
  return events.reduce((oldest, { agoMs }) => Math.max(oldest, agoMs), 0)
}

/**
 * Runs events in the order of their time, and then moves the clock to the start. Events at the same time keep
 * their order in the list. The rules of the service apply to each event, so a world with an impossible state
 * is refused.
 *
 * @throws Refusal `bad_world` if a rule of the service refuses an event
 */
export async function replay(clock: Clock, now: number, events: readonly SeedEvent[]): Promise<void> {
  const inOrder = events.toSorted((one, other) => other.agoMs - one.agoMs)
  for (const { agoMs, where, run } of inOrder) {
    const ahead = now - agoMs - clock.now()
    if (ahead > 0) await clock.advance(ahead)
    try {
      await run()
    } catch (error) {
      if (error instanceof Refusal && error.code !== 'bad_world') throw badWorld(where, error.sentence)
      throw error
    }
  }
  await clock.advance(now - clock.now())
}

/**
 * Returns the service, or throws if it does not exist yet. Events are prepared before their service exists.
 */
export function existing<Service>(service: Service | undefined): Service {
  if (service === undefined) throw new Error('an event of a world ran before its service existed')
  return service
}
