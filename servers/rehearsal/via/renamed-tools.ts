import { Refusal } from '../../../shared/errors.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { defined, isObject } from '../../../shared/util/objects.js'
import { readPages } from '../exchange.js'
import { toolsIn } from '../judge-exchange.js'
import { type ToolNames, type ToolNaming, toolNames } from '../tool-names.js'
import type { Answer, Asked, Caller, Message } from './caller.js'
import type { OpenWay } from './gateway.js'

/** Maximum number of the gateway's tools that an error names. */
const MAX_NAMED = 12

/**
 * Translates tool names between the rehearsal and a gateway. Calls are sent with the gateway's names, and
 * lists are returned with the stand-ins' names.
 *
 * @throws Refusal `no_such_tools`, when the gateway is opened, if the gateway lists no tool with a name from
 *   `naming`
 */
export function withToolNames(open: OpenWay, naming: ToolNaming): OpenWay {
  return async (stage, callers, protocol) => {
    const way = await open(stage, callers, protocol)
    const namesOf = (server: ServerName) => toolNames(naming, server, [...stage.listing(server).keys()])
    try {
      const listed = []
      for (const server of stage.servers) {
        const pages = await readPages(await way.caller(server, 'agent'))
        const names = pages.flatMap(page => toolsIn(page) ?? []).map(({ name }) => String(name))
        const readable = pages.every(page => toolsIn(page) !== undefined)
        const { outward } = namesOf(server)
        const matches = [...stage.listing(server).keys()].some(tool => names.includes(outward(tool)))
        listed.push({ names, matches: matches || !readable })
      }
      if (!listed.some(({ matches }) => matches)) {
        throw noSuchTools(
          naming,
          listed.flatMap(({ names }) => names),
        )
      }
    } catch (error) {
      await way.close()
      throw error
    }
    const { newSession } = way
    const renamed = async (server: ServerName, caller: Promise<Caller>) =>
      new RenamedCaller(await caller, namesOf(server))
    return {
      ...way,
      caller: (server, as) => renamed(server, way.caller(server, as)),
      ...defined({
        newSession:
          newSession && ((server: ServerName, as: string) => renamed(server, newSession(server, as))),
      }),
    }
  }
}

function noSuchTools(naming: ToolNaming, listed: readonly string[]): Refusal {
  const named = listed.slice(0, MAX_NAMED).join(', ')
  const more = listed.length > MAX_NAMED ? ` and ${listed.length - MAX_NAMED} more` : ''
  return new Refusal(
    'no_such_tools',
    `the gateway lists no tool that ${JSON.stringify(naming)} names: it lists ${named === '' ? 'none' : named}${more}`,
    'name the tools as the gateway does: --tools "inst-{tool-kebab}", or a map under tools in the scenario',
  )
}

/** A caller that sends calls with the gateway's names, and returns lists with the stand-ins' names. */
class RenamedCaller implements Caller {
  readonly #caller: Caller
  readonly #names: ToolNames

  constructor(caller: Caller, names: ToolNames) {
    this.#caller = caller
    this.#names = names
  }

  ask(method: string, params?: unknown, requestId?: string | number): Asked {
    const { id, answer } = this.#caller.ask(method, this.#outward(method, params), requestId)
    return { id, answer: method === 'tools/list' ? answer.then(page => this.#inward(page)) : answer }
  }

  askAll(requests: readonly Message[]): Asked[] {
    return this.#caller.askAll(
      requests.map(({ method, params }) => ({ method, params: this.#outward(method, params) })),
    )
  }

  notify(method: string, params?: unknown): Promise<Answer> {
    return this.#caller.notify(method, this.#outward(method, params))
  }

  withoutSession(): Caller {
    const caller = this.#caller.withoutSession?.()
    return caller === undefined ? this : new RenamedCaller(caller, this.#names)
  }

  close(): Promise<void> {
    return this.#caller.close()
  }

  #outward(method: string, params: unknown): unknown {
    if (method !== 'tools/call' || !isObject(params) || typeof params.name !== 'string') return params
    return { ...params, name: this.#names.outward(params.name) }
  }

  #inward(answer: Answer): Answer {
    const tools = toolsIn(answer)
    if (answer.kind !== 'response' || tools === undefined) return answer
    const { result } = answer.message
    const renamed = tools.map(tool => ({ ...tool, name: this.#names.inward(String(tool.name)) }))
    return {
      ...answer,
      message: { ...answer.message, result: { ...(isObject(result) && result), tools: renamed } },
    }
  }
}
