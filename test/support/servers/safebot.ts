import { onTestFinished } from 'vitest'
import { Safebot, type SafebotOptions } from '../../../servers/safebot/index.js'
import { createInstance, type InstanceOptions } from '../../../servers/understudy/instance.js'
import type { Instance } from '../../../shared/instance.js'
import { registeredAgent, SafebotAgent } from '../clients/safebot-agent.js'

export interface RunningSafebot {
  instance: Instance
  safebot: Safebot
  /** Base URL: MCP at `/mcp`, its own API under `/api`. */
  url: string
  /** Before the test is over. */
  close(): Promise<void>
  /** Returns a client of the HTTP API that is not registered yet. */
  stranger(handle: string): SafebotAgent
  /** A client of the HTTP API, registered. */
  agent(handle: string): Promise<SafebotAgent>
}

/** How Safebot is to be started, and where it keeps what it knows: the URL of a store, if not in memory. */
export type SafebotStart = SafebotOptions & Omit<InstanceOptions, 'store'> & { store?: string | undefined }

/** Safebot on a manual clock with a fixed seed; closed when the test is over. */
export async function startSafebot(options: SafebotStart = {}): Promise<RunningSafebot> {
  const { clock = 'manual', seed = 'test', journalFile, log, store, ...safebotOptions } = options
  const instance = await createInstance({
    ...{ clock, seed },
    ...(journalFile !== undefined && { journalFile }),
    ...(log !== undefined && { log }),
    ...(store !== undefined && { store }),
  })
  const { safebot, url } = await Safebot.listen(instance, {}, safebotOptions)
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= safebot.close().then(() => instance.close())
    return closing
  }
  onTestFinished(close)
  const now = () => instance.clock.now()
  return {
    ...{ instance, safebot, url, close },
    stranger: handle => new SafebotAgent(url, handle, now),
    agent: handle => registeredAgent(url, handle, now),
  }
}
