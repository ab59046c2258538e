import { z } from 'zod'
import { changeSchema } from '../../../shared/clock/change.js'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { checkedOperation } from '../../../shared/http/checked-operation.js'
import { type Operation, paramOf } from '../../../shared/http/operation.js'
import type { ControlledServer, Instance } from '../../../shared/instance.js'
import { account, planRequest } from '../../../shared/schemas/account.js'
import { defined } from '../../../shared/util/objects.js'
import type { Controlled } from '../controlled.js'
import { advanceRequest, clockState, clockStateOf } from '../schemas/clock.js'
import { LATEST, replicasAnswer, stateAnswer, stateQuery } from '../schemas/state.js'

/** Returns the routes that show the current state. */
export function stateRoutes({ instance, instanode, safebot, views }: Controlled<unknown>): Operation[] {
  return [
    checkedOperation({
      method: 'GET',
      path: '/state',
      summary: 'The current state of the instance',
      query: stateQuery,
      answer: stateAnswer(views),
      async run({ query }) {
        const request = stateRequest(query)
        return {
          instance: instance.name,
          clock: clockStateOf(instance.clock),
          ...defined({
            instanode: await instanode?.state(request),
            safebot: await safebot?.state(request),
          }),
        }
      },
    }),
    checkedOperation({
      method: 'GET',
      path: '/state/instanode',
      summary: 'The state of Instanode: resources, receivers, accounts, calls under way',
      query: stateQuery,
      answer: views.instanode,
      refusals: [404],
      run: ({ query }) => present('instanode', instanode).state(stateRequest(query)),
    }),
    checkedOperation({
      method: 'GET',
      path: '/state/safebot',
      summary: 'The state of Safebot: rooms with their messages, cursors and leases, calls under way',
      query: stateQuery,
      answer: views.safebot,
      refusals: [404],
      run: ({ query }) => present('safebot', safebot).state(stateRequest(query)),
    }),
  ]
}

/** Returns the routes that change the plan of an account. */
export function accountRoutes({ instanode }: Pick<Controlled<unknown>, 'instanode'>): Operation[] {
  return [
    checkedOperation({
      method: 'POST',
      path: '/accounts/:id',
      summary: 'Change the plan of an account, and of the resources that it owns',
      body: planRequest,
      bodyCode: 'bad_plan',
      answer: account,
      refusals: [404],
      run: ({ body, request }) => present('instanode', instanode).setPlan(paramOf(request, 'id'), body.plan),
    }),
  ]
}

function stateRequest({ secrets = false, latest = LATEST }: { secrets?: boolean; latest?: number }) {
  return { secrets, latest }
}

function present<Server extends ControlledServer<unknown>>(name: string, server: Server | undefined): Server {
  if (server !== undefined) return server
  throw new Refusal('no_such_server', `this instance has no ${name}`, 'GET /state shows its servers')
}

/** Returns the route that lists the replicas of the instance. */
export function replicasRoute({ store }: Pick<Instance, 'store'>): Operation {
  return checkedOperation({
    method: 'GET',
    path: '/replicas',
    summary: 'All replicas that share the store of this instance, this instance included',
    answer: replicasAnswer,
    refusals: [503],
    async run() {
      if (store === undefined) return { store: null, replicas: [] }
      const live = await store.replicas()
      const replicas = live.map(({ number, instance, startedAt }) => ({
        number,
        instance,
        startedAt: startedAt.toISOString(),
        self: number === store.replica,
      }))
      return { store: store.shown, replicas }
    },
  })
}

/** Returns the routes that read and change the clock. */
export function clockRoutes(clock: Clock): Operation[] {
  return [
    checkedOperation({
      method: 'GET',
      path: '/clock',
      summary: 'The time of the clock',
      answer: clockState,
      run: () => clockStateOf(clock),
    }),
    checkedOperation({
      method: 'PUT',
      path: '/clock',
      summary: 'Set the mode, the time, or both. Answers after all wake-ups that fell due',
      body: changeSchema,
      bodyCode: 'bad_clock',
      answer: clockState,
      refusals: [409, 503],
      async run({ body }) {
        await clock.set(body)
        return clockStateOf(clock)
      },
    }),
    checkedOperation({
      method: 'POST',
      path: '/clock/advance',
      summary: 'Move the clock forward. Answers after all wake-ups that fell due',
      body: advanceRequest,
      bodyCode: 'bad_advance',
      answer: clockState,
      refusals: [503],
      async run({ body }) {
        await clock.advance(body.ms)
        return clockStateOf(clock)
      },
    }),
  ]
}

const startedAnswer = z.strictObject({ started: z.literal(true) }).meta({ id: 'RehearsalStarted' })

/** Returns the route that starts a waiting rehearsal. */
export function rehearsalRoute({ startRehearsal }: Pick<Controlled<unknown>, 'startRehearsal'>): Operation {
  return checkedOperation({
    method: 'POST',
    path: '/rehearsal/start',
    summary: 'Start the rehearsal that waits in understudy rehearse --attach',
    answer: startedAnswer,
    refusals: [409],
    run() {
      if (startRehearsal?.() === true) return { started: true as const }
      throw new Refusal(
        'no_rehearsal',
        'no rehearsal waits for its start',
        'run understudy rehearse --attach, and start its rehearsal only once',
      )
    },
  })
}
