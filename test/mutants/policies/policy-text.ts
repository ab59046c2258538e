import { parse } from 'yaml'
import { isObject } from '#built/shared/util/objects.js'

/** The way to a value: keys and indexes. */
export type Path = readonly (string | number)[]

export interface ConditionSite {
  readonly at: Path
  readonly tool: string
  readonly op: string
  readonly value: unknown
  readonly path: string
  /** Whether the call is denied if the condition holds, and not if it does not. */
  readonly denies: boolean
}

export interface LimitSite {
  readonly at: Path
  /** Undefined for a limit over all tools. */
  readonly tool: string | undefined
  readonly max: number
  readonly window: string | number
}

/** A policy as its text has it, in either language, and the places in it at which it can be loosened. */
export class PolicyText {
  readonly data: unknown

  constructor(readonly text: string) {
    this.data = parse(text)
  }

  /** The text with another value at a place. Undefined takes the place out. */
  with(at: Path, value: unknown): string {
    return JSON.stringify(replaced(this.data, at, value))
  }

  get(at: Path): unknown {
    return valueAt(this.data, at)
  }

  get tools(): string[] {
    return Object.keys(this.#map(['tools'])).filter(tool => tool !== '*')
  }

  get hidden(): string[] {
    return this.#list(['hide']).map(String)
  }

  /** Rules of Intercept and of the tool pages, `*` included. */
  get rules(): { at: Path; tool: string; rule: Record<string, unknown> }[] {
    return Object.keys(this.#map(['tools'])).flatMap(tool =>
      this.#list(['tools', tool, 'rules']).flatMap((rule, index) =>
        isObject(rule) ? [{ at: ['tools', tool, 'rules', index], tool, rule }] : [],
      ),
    )
  }

  /** Entries of `require` and `deny_if` of PolicyLayer. */
  get demands(): { at: Path; tool: string; denies: boolean }[] {
    return this.tools.flatMap(tool =>
      (['require', 'deny_if'] as const).flatMap(kind =>
        this.#list(['tools', tool, kind]).map((_, index) => ({
          at: ['tools', tool, kind, index],
          tool,
          denies: kind === 'deny_if',
        })),
      ),
    )
  }

  get conditions(): ConditionSite[] {
    const lists = [...this.rules.map(({ at, tool }) => ({ at, tool, denies: false })), ...this.demands]
    return lists.flatMap(({ at, tool, denies }) => {
      const own = valueAt(this.data, at)
      const single = isObject(own) && 'op' in own
      const places: Path[] = single
        ? [at]
        : this.#list([...at, 'conditions']).map((_, index) => [...at, 'conditions', index])
      return places.flatMap(place => {
        const condition = valueAt(this.data, place)
        if (!isObject(condition)) return []
        const { op, value, path } = condition
        return [{ at: place, tool, denies, op: String(op), value, path: String(path) }]
      })
    })
  }

  get limits(): LimitSite[] {
    const ofIntercept = this.rules.flatMap(({ at, tool, rule }) => {
      const place = [...at, 'rate_limit']
      const name = tool === '*' ? undefined : tool
      const { rate_limit: limit } = rule
      if (typeof limit === 'string') {
        const [max, window = ''] = limit.split('/')
        return [{ at: place, tool: name, max: Number(max), window }]
      }
      return limitAt(limit, place, name)
    })
    const lists = [
      ...this.tools.map(tool => ({ tool, list: ['tools', tool, 'limits'] })),
      { tool: undefined, list: ['all_tools', 'limits'] },
    ]
    const ofPolicyLayer = lists.flatMap(({ tool, list }) =>
      this.#list(list).flatMap((limit, index) => limitAt(limit, [...list, index], tool)),
    )
    return [...ofIntercept, ...ofPolicyLayer]
  }

  #map(at: Path): Record<string, unknown> {
    const value = valueAt(this.data, at)
    return isObject(value) ? value : {}
  }

  #list(at: Path): unknown[] {
    const value = valueAt(this.data, at)
    return Array.isArray(value) ? value : []
  }
}

function limitAt(limit: unknown, at: Path, tool: string | undefined): LimitSite[] {
  if (!isObject(limit)) return []
  const { max, window } = limit
  return [{ at, tool, max: Number(max), window: typeof window === 'number' ? window : String(window) }]
}

function valueAt(data: unknown, at: Path): unknown {
  return at.reduce<unknown>((part, key) => {
    if (Array.isArray(part)) return part[Number(key)]
    return isObject(part) ? part[key] : undefined
  }, data)
}

function replaced(data: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value
  const next = replaced(valueAt(data, [key]), rest, value)
  if (Array.isArray(data))
    return data.flatMap((item, at) => (at !== key ? [item] : next === undefined ? [] : [next]))
  const { [key]: _, ...others } = isObject(data) ? data : {}
  return next === undefined ? others : { ...(isObject(data) ? data : {}), [key]: next }
}
