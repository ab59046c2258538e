import type { Clock } from '../clock/clock.js'
import { Journal } from '../journal/journal.js'
import type { Log } from '../util/log.js'
import { ApiFace } from './api-face.js'
import type { HttpCall } from './http-call.js'
import { failure, refused } from './json-answers.js'
import type { Operation } from './operation.js'
import type { HttpAnswer, Route } from './routes.js'

export interface OperationsFaceOptions {
  /** How the listener is called in an error, e.g. `control`. */
  name: string
  operations: readonly Operation[]
  /** Routes that nobody asks for by hand, so that no list has them. */
  unlisted?: readonly Route[]
  /** Where to find what there is, for whoever asks for what there is not. */
  hint: string
  clock: Clock
  machine: Clock
  log: Log
}

/** Operations over HTTP: what one throws is answered in one form, and no journal hears of what is asked. */
export function operationsFace({
  operations,
  unlisted = [],
  hint,
  log,
  ...options
}: OperationsFaceOptions): ApiFace {
  const { name, clock, machine } = options
  return new ApiFace({
    name,
    // What is asked here has reached no server: the instance's journal is to be silent about it.
    journal: new Journal({ clock, machine, instance: name, enabled: false }),
    routes: [...operations, ...unlisted],
    nameOf: () => '',
    refuse: (error, call) => (call.response.destroyed ? unheard : refused(error, log)),
    unrouted: (call, methods) => unrouted(call, methods, hint),
    forbidden: why => failure(403, 'forbidden', why, null),
  })
}

/** Whoever has hung up is told nothing, and there is nothing to log about it. */
const unheard: HttpAnswer = { status: 408, headers: {}, body: '' }

function unrouted({ method, path }: HttpCall, methods: readonly string[], hint: string): HttpAnswer {
  if (methods.length === 0) return failure(404, 'unknown_route', `there is nothing at ${path}`, hint)
  const allow = (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ')
  return failure(405, 'method_not_allowed', `${path} takes no ${method}`, `it takes ${allow}`, {
    Allow: allow,
  })
}
