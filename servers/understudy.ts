import { createInstance, type Instance, type InstanceOptions } from '../shared/instance.js'
import type { Journal } from '../shared/journal/journal.js'
import { type ListenOptions, Safebot, type SafebotOptions } from './safebot/index.js'

export interface UnderstudyOptions extends InstanceOptions, Pick<SafebotOptions, 'contract'> {
  /** Address of every listener. Default `127.0.0.1`. */
  host?: string
  /** Default 0: a free port. */
  safebotPort?: number
  /** Host names to accept beside the loopback ones and `host`. */
  allowedHosts?: readonly string[]
}

export interface RunningSafebot {
  readonly mcpUrl: string
  readonly apiUrl: string
  /** An SDK client in this process, initialized. */
  connect: Safebot['connect']
}

/** A running instance: servers that listen, the clock they live by, the record of what reached them. */
export interface Understudy {
  readonly instance: Instance
  readonly clock: Instance['clock']
  readonly journal: Journal
  readonly safebot: RunningSafebot
  /** Answers what is parked, ends every conversation, and leaves nothing running. */
  close(): Promise<void>
}

/**
 * Starts the stand-ins; resolves when they listen.
 *
 * @throws Refusal for options that cannot be met: a busy port, a clock that is none, a journal that cannot be written
 */
export async function createUnderstudy(options: UnderstudyOptions = {}): Promise<Understudy> {
  const instance = await createInstance(options)
  try {
    const safebot = await startSafebot(instance, options)
    return {
      instance,
      clock: instance.clock,
      journal: instance.journal,
      safebot: safebot.running,
      async close() {
        await safebot.server.close()
        await instance.close()
      },
    }
  } catch (error) {
    await instance.close()
    throw error
  }
}

async function startSafebot(
  instance: Instance,
  { host, safebotPort, allowedHosts, contract }: UnderstudyOptions,
): Promise<{ server: Safebot; running: RunningSafebot }> {
  const listen: ListenOptions = {
    ...(host !== undefined && { host }),
    ...(safebotPort !== undefined && { port: safebotPort }),
    ...(allowedHosts !== undefined && { allowedHosts }),
  }
  const { safebot, url } = await Safebot.listen(instance, listen, contract === undefined ? {} : { contract })
  return {
    server: safebot,
    running: { mcpUrl: `${url}/mcp`, apiUrl: url, connect: identity => safebot.connect(identity) },
  }
}
