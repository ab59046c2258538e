import { onTestFinished } from 'vitest'
import { Safebot, type SafebotOptions } from '../../servers/safebot/index.js'
import { createInstance, type Instance, type InstanceOptions } from '../../shared/instance.js'
import { registeredAgent, SafebotAgent } from './safebot-agent.js'

export interface RunningSafebot {
  instance: Instance
  safebot: Safebot
  /** Where it listens: MCP at `/mcp`, its own API under `/api`. */
  url: string
  /** A client of the HTTP API that nobody knows yet. */
  stranger(handle: string): SafebotAgent
  /** A client of the HTTP API, registered. */
  agent(handle: string): Promise<SafebotAgent>
}

/** Safebot on a manual clock with a fixed seed; closed when the test is over. */
export async function startSafebot(options: SafebotOptions & InstanceOptions = {}): Promise<RunningSafebot> {
  const { clock = 'manual', seed = 'test', journalFile, log, ...safebotOptions } = options
  const instance = await createInstance({
    ...{ clock, seed },
    ...(journalFile !== undefined && { journalFile }),
    ...(log !== undefined && { log }),
  })
  const { safebot, url } = await Safebot.listen(instance, {}, safebotOptions)
  onTestFinished(async () => {
    await safebot.close()
    await instance.close()
  })
  const now = () => instance.clock.now()
  return {
    ...{ instance, safebot, url },
    stranger: handle => new SafebotAgent(url, handle, now),
    agent: handle => registeredAgent(url, handle, now),
  }
}
