import { readPolicy } from '../../../servers/gateway/policy/index.js'
import type { OpenWay } from '../../../servers/rehearsal/via/gateway.js'
import { toolOf, withParams } from '../../mutants/gateways/mutant.js'
import type { Hooks } from '../../mutants/proxy/hooks.js'
import { HttpAnswer } from '../../mutants/proxy/policy-gateway.js'
import { proxied } from '../../mutants/proxy/way.js'

const ALLOW_ALL = readPolicy('version: "1"\ndefault: allow\n', 'allow.yaml').policy

/** A call as a scripted gateway sees it. `atMs` is the time on the stage's clock. */
export interface ScriptedCall {
  /** The JSON-RPC id of the request. */
  readonly id: unknown
  readonly tool: string
  readonly grant: string
  readonly atMs: number
}

/** A denial: a JSON-RPC result or error, or an HTTP answer without one. */
export type ScriptedDenial =
  | { readonly result: object }
  | { readonly error: object }
  | { readonly status: number; readonly body: string }

export interface Script {
  /** Denies a call. Undefined lets it through. */
  deny?(call: ScriptedCall): ScriptedDenial | undefined
  /** Hides a tool from tools/list. */
  hides?(tool: string): boolean
  /** Names a tool. Default: the name that the upstream has for it. */
  nameOf?(tool: string): string
}

/** Puts a gateway in front of the stage that speaks no policy language. Its windows go by the stage's clock. */
export function scripted({ deny, hides = () => false, nameOf = tool => tool }: Script): OpenWay {
  return (stage, names) => {
    const tools = stage.servers.flatMap(server => [...stage.listing(server).keys()])
    const hooks = (): Partial<Hooks> => ({
      async receive(message, { grant }, next) {
        if (message.method !== 'tools/call') return next(message)
        const name = toolOf(message)
        const tool = tools.find(own => nameOf(own) === name) ?? name
        const denial = deny?.({ id: message.id, tool, grant, atMs: stage.clock.now() })
        if (denial === undefined) return next(withParams(message, { name: tool }))
        if ('status' in denial) throw new HttpAnswer(denial.status, denial.body, 'text/plain')
        return { jsonrpc: '2.0', id: message.id, ...denial }
      },
      list: page =>
        page.tools
          .filter(({ name }) => !hides(String(name)))
          .map(tool => ({ ...tool, name: nameOf(String(tool.name)) })),
    })
    return proxied(ALLOW_ALL, { name: 'a scripted gateway', does: 'follows the script of a test', hooks })(
      stage,
      names,
    )
  }
}
