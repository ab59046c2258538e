import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import { defined } from '../../../shared/util/defined.js'
import { timestamp } from '../../../shared/util/go-json.js'
import type { Account, Plan } from '../domain/model.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { BODY_LIMIT } from '../limits.js'
import { describeOwned } from '../owned.js'
import type { Provisioned } from '../service.js'
import { answer, listAnswer } from './answer.js'
import { readField } from './body.js'
import type { RestKit } from './context.js'

/** Making a database or a receiver. */
export function provisionRoutes({ service, callers }: RestKit): Route[] {
  return [
    {
      method: 'POST',
      path: '/db/new',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const name = readField(call.body, 'name').text
        const made = await service.createPostgres(await callers.of(call), name, call)
        const { storageMb, connections } = made.limits
        return provisioned(made, 'connection_url', { connections, storage_mb: storageMb })
      },
    },
    {
      method: 'POST',
      path: '/webhook/new',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const made = await service.createWebhook(await callers.of(call), readField(call.body, 'name').text)
        return provisioned(made, 'receive_url', { requests_stored: made.limits.requestsStored })
      },
    },
  ]
}

function provisioned(
  made: Provisioned<unknown>,
  urlField: 'connection_url' | 'receive_url',
  limits: Record<string, number>,
): HttpAnswer {
  const { id, token, name, tier, url, expiresIn, expiresAt, note } = made
  // Without a name it is one that was there already.
  return answer(name === null ? 200 : 201, {
    id,
    token,
    tier,
    note,
    ok: true,
    [urlField]: url,
    limits: { ...limits, ...defined({ expires_in: expiresIn ?? undefined }) },
    ...defined({ name: name ?? undefined, expires_at: timestamp(expiresAt) ?? undefined }),
  })
}

/** The resources of an account: listed, ended, claimed, and looked at before a claim. */
export function resourceRoutes({ local, service, callers, contract, clock }: RestKit): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/me/resources',
      async run(call) {
        const owned = await service.list(await callers.of(call))
        const nothing = owned.length === 0 && !contract.namesResourceType
        return listAnswer(nothing ? null : owned.map(resource => describeOwned(resource, contract)))
      },
    },
    {
      method: 'DELETE',
      path: '/api/me/resources/:token',
      async run(call) {
        const removed = await service.remove(await callers.of(call), call.params.token ?? '')
        return answer(contract.reapsAtOnce ? 200 : 202, { ...removed, ok: true, status: 'deleted' })
      },
    },
    {
      method: 'POST',
      path: '/api/me/claim',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const caller = await callers.of(call)
        const { text, decoded } = readField(call.body, 'token')
        if (!decoded) {
          // Who is no account learns that first.
          await local.accounts.require(caller.bearer)
          throw new ServiceRefusal(400, 'invalid_body', 'the body is not a JSON object with a text "token"')
        }
        const { id, name, token, type, status, tier } = await service.claim(caller, text)
        return answer(200, { id, name, ok: true, resource_type: type, status, tier, token })
      },
    },
    {
      method: 'GET',
      path: '/claim/preview',
      async run({ query }) {
        const { name, type, tier, status, owner, createdAt, expiresAt } = await local.ownership.preview(
          query.get('token') ?? '',
        )
        return answer(200, {
          name,
          ok: true,
          resource_type: type,
          tier,
          status,
          already_claimed: owner !== null,
          created_at: timestamp(createdAt),
          ...(expiresAt !== null && {
            expires_at: timestamp(expiresAt),
            // What is overdue and not yet reaped has none left.
            expires_in_seconds: Math.max(0, Math.floor((expiresAt - clock.now()) / 1000)),
          }),
        })
      },
    },
  ]
}

/** An account's token and its plan. Reading the token mints a credential for the whole account. */
export function accountRoutes({ local, service, callers }: RestKit): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/me/token',
      async run(call) {
        const { token, expiresInSeconds } = await service.mintToken(await callers.of(call))
        return answer(200, { expires_in: expiresInSeconds, ok: true, token })
      },
    },
    {
      method: 'GET',
      path: '/api/me/plan',
      async run(call) {
        const { bearer } = await callers.of(call)
        const { tier, period, status, label, upgrades } = planOf(await local.accounts.require(bearer))
        return answer(200, {
          ok: true,
          plan_tier: tier,
          plan_period: period,
          plan_paid_at: null,
          subscription_status: status,
          current_period_end: null,
          human_label: label,
          available_upgrades: upgrades,
        })
      },
    },
  ]
}

/** What an account is told of its plan. */
interface PlanView {
  tier: Plan
  /** How often it is paid for; null: it is not. */
  period: 'monthly' | 'annual' | null
  status: 'active' | 'none'
  label: string
  /** The periods in which a better plan can be had. */
  upgrades: readonly ('monthly' | 'annual')[]
}

/** Accounts of the stand-in have a plan and no payments: a paid one is as if by the month, and never runs out. */
function planOf({ plan }: Account): PlanView {
  if (plan === 'paid') {
    return { tier: 'paid', period: 'monthly', status: 'active', label: 'Developer', upgrades: [] }
  }
  return { tier: 'free', period: null, status: 'none', label: 'Free', upgrades: ['monthly', 'annual'] }
}
