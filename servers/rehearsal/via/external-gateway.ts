import { once } from 'node:events'
import { createServer } from 'node:net'
import { Refusal } from '../../../shared/errors.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { Callers } from './caller.js'
import { headersOf, type OpenWay } from './gateway.js'
import { ListeningChild } from './gateway-process.js'
import { HttpCaller } from './http-caller.js'
import { PipeCaller } from './stdio-caller.js'

export interface CommandOptions {
  /** `{upstream}`, `{policy}` and `{port}` in it stand for what they say. */
  template: readonly string[]
  policyFile: string
  bearers?: readonly string[]
  /** Whether it speaks on its pipes. Default: it listens. */
  pipes?: boolean
}

/** A gateway started for each server that the rehearsal needs. */
export function command({ template, policyFile, bearers = [], pipes = false }: CommandOptions): OpenWay {
  return async (stage, names) => {
    const children = new Map<ServerName, Promise<ListeningChild>>()
    const childOf = (server: ServerName): Promise<ListeningChild> => {
      const child = children.get(server) ?? listening(server)
      children.set(server, child)
      return child
    }
    const listening = async (server: ServerName) => {
      const port = template.some(word => word.includes('{port}')) ? await freePort() : undefined
      const words = filled(template, { upstream: stage.upstream(server), policy: policyFile, port })
      return ListeningChild.start(words, { machine: stage.machine, port, upstream: stage.upstream(server) })
    }
    // A pipe has one end: whoever calls is one and the same.
    const piped = new Callers(server => {
      const words = filled(template, {
        upstream: stage.upstream(server),
        policy: policyFile,
        port: undefined,
      })
      return PipeCaller.open(words, stage.machine)
    })
    const callers = new Callers(async (server, as) =>
      HttpCaller.open({
        url: (await childOf(server)).url,
        headers: headersOf(as, names, bearers),
        machine: stage.machine,
      }),
    )
    return {
      name: template.join(' '),
      advances: false,
      grants: pipes ? 1 : Math.max(1, bearers.length),
      namesRules: false,
      caller: (server, as) => (pipes ? piped.get(server, '') : callers.get(server, as)),
      async close() {
        await callers.close()
        await piped.close()
        for (const child of await Promise.allSettled(children.values())) {
          if (child.status === 'fulfilled') await child.value.close()
        }
      },
    }
  }
}

interface Filling {
  upstream: string
  policy: string
  port: number | undefined
}

function filled(template: readonly string[], { upstream, policy, port }: Filling): [string, ...string[]] {
  const [program, ...args] = template.map(word =>
    word.replaceAll('{upstream}', upstream).replaceAll('{policy}', policy).replaceAll('{port}', String(port)),
  )
  if (program !== undefined) return [program, ...args]
  throw new Refusal(
    'no_command',
    'there is no command behind --',
    'give one, e.g. -- my-gateway --port {port} {upstream}',
  )
}

/** One that was free a moment ago: a program that is given a port has to be given a number. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new TypeError('a port was not given')
  return address.port
}

/**
 * A gateway that runs already, and has the stage's server behind it.
 *
 * @param bearers what it knows its callers by
 */
export function url(mcpUrl: string, bearers: readonly string[] = []): OpenWay {
  return async (stage, names) => {
    if (stage.servers.length > 1) {
      throw new Refusal(
        'one_url',
        'one URL is in front of one server',
        'pick it with --server instanode, or safebot',
      )
    }
    const callers = new Callers((_server, as) =>
      HttpCaller.open({ url: mcpUrl, headers: headersOf(as, names, bearers), machine: stage.machine }),
    )
    return {
      name: mcpUrl,
      advances: false,
      grants: Math.max(1, bearers.length),
      namesRules: false,
      caller: (server, as) => callers.get(server, as),
      close: () => callers.close(),
    }
  }
}
