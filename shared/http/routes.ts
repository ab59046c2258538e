import type { HttpCall } from './http-call.js'

/** An answer in one piece. */
export interface HttpAnswer {
  status: number
  headers: Record<string, string | number>
  body: string
}

/** One operation of an HTTP API. */
export interface Route {
  /** Upper case; `*` takes any. */
  method: string
  /** E.g. `/api/rooms/:room/claim`: a segment with a colon takes anything but a slash, and gives it that name. */
  path: string
  /** The most bytes of body it takes, inclusive; without it no body is read. */
  bodyLimit?: number
  /** @returns undefined if it has answered by itself, with a stream */
  run(call: HttpCall): Promise<HttpAnswer | undefined>
}

/** What a request's path leads to. */
interface Found {
  /** Undefined if the path has routes, but none for the method. */
  route: Route | undefined
  params: Record<string, string>
  /** The methods that the path has; none: there is nothing there. */
  methods: readonly string[]
}

interface Pattern {
  readonly segments: readonly string[]
  /** Those of `routes`, in the order they came in. */
  readonly methods: string[]
  /** By method. */
  readonly routes: Map<string, Route>
}

/** Finds the route of a request. Patterns of the same shape must differ in a fixed segment. */
export class RouteTable {
  /** By their number of segments: a request is compared with few. */
  readonly #patterns = new Map<number, Pattern[]>()

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#add(route)
  }

  /** @param path as it was requested, without the query */
  find(method: string, path: string): Found {
    const segments = path.split('/')
    for (const { segments: wanted, methods, routes } of this.#patterns.get(segments.length) ?? []) {
      const params = matched(wanted, segments)
      if (params === undefined) continue
      const route =
        routes.get(method) ?? (method === 'HEAD' ? routes.get('GET') : undefined) ?? routes.get('*')
      return { route, params, methods }
    }
    return { route: undefined, params: {}, methods: [] }
  }

  #add(route: Route): void {
    const segments = route.path.split('/')
    const alike = this.#patterns.get(segments.length) ?? []
    this.#patterns.set(segments.length, alike)
    const known = alike.find(pattern => pattern.segments.join('/') === route.path)
    const { method } = route
    if (known === undefined) alike.push({ segments, methods: [method], routes: new Map([[method, route]]) })
    else {
      known.methods.push(method)
      known.routes.set(method, route)
    }
  }
}

/** @returns undefined if the path is another, or a parameter of it is empty or no percent-encoded text */
function matched(wanted: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  for (const [at, segment] of wanted.entries()) {
    const text = given[at] ?? ''
    if (!segment.startsWith(':')) {
      if (segment !== text) return undefined
      continue
    }
    const value = decoded(text)
    if (value === undefined || value === '') return undefined
    params[segment.slice(1)] = value
  }
  return params
}

function decoded(text: string): string | undefined {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
