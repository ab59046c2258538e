import { openControlPlane } from '../shared/control/control-plane.js'
import type { Controlled } from '../shared/control/controlled.js'
import { createInstance, type Instance, type InstanceOptions } from '../shared/instance.js'
import type { ListenOptions } from '../shared/mcp/http/serve.js'

/** What may be said of an instance, whichever servers it has. */
export interface CommonOptions extends InstanceOptions {
  /** Address of every listener. Default `127.0.0.1`. */
  host?: string
  /** Of the control plane. Default 0: a free port. */
  controlPort?: number
  /** Host names to accept beside the loopback ones and `host`. */
  allowedHosts?: readonly string[]
}

/** What a test has in hand of a running instance, whichever servers it has. */
export interface Handles {
  readonly instance: Instance
  readonly clock: Instance['clock']
  readonly journal: Instance['journal']
  /** Trouble on demand: what goes wrong, on which calls. */
  readonly faults: Instance['faults']
  /** What the lists of tools show instead of the genuine ones. */
  readonly catalogue: Instance['catalogue']
  /** The same over HTTP. */
  readonly control: { readonly url: string }
  /** Answers what is parked, ends every conversation, and leaves nothing running. */
  close(): Promise<void>
}

/** A part that has been started. */
export interface Started<Running, Control> {
  running: Running
  controlled: Control
  close(): Promise<void>
}

/** Starts a part, and has it closed with all else. */
export type Begin = <Part extends { close(): Promise<void> }>(starting: Promise<Part>) => Promise<Part>

/**
 * Starts an instance with the servers that `start` starts, and its control plane.
 *
 * @throws what could not be met of the options; nothing is left running then
 */
export async function withHandles<Running>(
  options: CommonOptions,
  start: (
    instance: Instance,
    begin: Begin,
  ) => Promise<{ running: Running; controlled: Pick<Controlled<unknown>, 'instanode' | 'safebot'> }>,
): Promise<Handles & Running> {
  const instance = await createInstance(options)
  const started: { close(): Promise<void> }[] = []
  const begin: Begin = async starting => {
    const part = await starting
    started.push(part)
    return part
  }
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= closeAll(instance, started)
    return closing
  }
  try {
    const { running, controlled } = await start(instance, begin)
    const control = await openControlPlane(
      { instance, ...controlled, ...notYet },
      listenOptions(options, options.controlPort),
    )
    // First in the list is last to go: who waits for something is told that it will not come.
    started.unshift({
      close() {
        instance.journal.stop()
        return control.close()
      },
    })
    const { clock, journal, faults, catalogue } = instance
    return { ...running, instance, clock, journal, faults, catalogue, control: { url: control.url }, close }
  } catch (error) {
    await close()
    throw error
  }
}

const notYet = {
  reset: () => Promise.reject(new Error('not yet')),
  snapshot: () => Promise.reject(new Error('not yet')),
  restore: () => Promise.reject(new Error('not yet')),
}

export function listenOptions(
  { host, allowedHosts }: CommonOptions,
  port: number | undefined,
): ListenOptions {
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(allowedHosts !== undefined && { allowedHosts }),
  }
}

async function closeAll(instance: Instance, started: readonly { close(): Promise<void> }[]): Promise<void> {
  for (const part of started.toReversed()) await part.close()
  await instance.close()
}
