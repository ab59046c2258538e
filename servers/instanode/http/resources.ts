import type { Response } from 'express'
import type { z } from 'zod'
import {
  hangUpSignal,
  type Operation,
  operation,
  paramOf,
  queryTextOf,
} from '../../../shared/http/operation.js'
import { timestamp } from '../../../shared/util/go-json.js'
import { defined } from '../../../shared/util/objects.js'
import type { Account, Plan } from '../domain/model.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { describeOwned } from '../owned.js'
import type { Provisioned } from '../service.js'
import { sendList } from './answer.js'
import { readField } from './body.js'
import type { RestContext } from './context.js'
import * as schema from './schemas.js'

/** The two kinds of credentials of an account, for the OpenAPI document. */
const ACCOUNT = [{ bearerAuth: [] }, { sessionCookie: [] }]
const ANYONE = [{}, ...ACCOUNT]

/** Returns the routes that create a database or a receiver. */
export function provisionOperations({ service, callers, contract }: RestContext): Operation[] {
  const described = <Made extends z.ZodType>(made: Made) => ({
    method: 'POST' as const,
    security: ANYONE,
    body: schema.provisionRequest,
    answer: made,
    status: 201,
    others: { ...(contract.returnsExistingOverCap && { 200: made }), 429: schema.rateLimitedError },
    refusals: contract.refusesInvalidBearer ? [400, 401, 503] : [400, 503],
  })
  return [
    operation({
      ...described(schema.provisionedDatabase),
      path: '/db/new',
      summary: 'Create a database',
      async run(request, response) {
        const name = readField(request.rawBody, 'name').text
        const caller = await callers.of(request)
        const created = await service.createPostgres(caller, name, { signal: hangUpSignal(response) })
        const { storageMb, connections } = created.limits
        return {
          ...provisioned(created, response),
          connection_url: created.url,
          limits: { connections, storage_mb: storageMb, ...expiry(created) },
        }
      },
    }),
    operation({
      ...described(schema.provisionedReceiver),
      path: '/webhook/new',
      summary: 'Create a receiver',
      async run(request, response) {
        const name = readField(request.rawBody, 'name').text
        const created = await service.createWebhook(await callers.of(request), name)
        return {
          ...provisioned(created, response),
          receive_url: created.url,
          limits: { requests_stored: created.limits.requestsStored, ...expiry(created) },
        }
      },
    }),
  ]
}

/**
 * Returns the fields that the answers for databases and receivers share. Sets the status 200 for an existing
 * resource, which has no name here.
 */
function provisioned({ id, token, name, tier, expiresAt, note }: Provisioned<unknown>, response: Response) {
  if (name === null) response.status(200)
  const optionalFields = defined({ name: name ?? undefined, expires_at: timestamp(expiresAt) ?? undefined })
  return { id, token, tier, note, ok: true as const, ...optionalFields }
}

function expiry({ expiresIn }: Provisioned<unknown>) {
  return defined({ expires_in: expiresIn ?? undefined })
}

/** Returns the routes that list, delete, claim and preview resources. */
export function resourceOperations({ local, service, callers, contract, clock }: RestContext): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/api/me/resources',
      summary: 'List the resources of the account, the newest first',
      security: ACCOUNT,
      answer: contract.namesResourceType ? schema.resourceList : schema.resourceList.nullable(),
      refusals: [401],
      async run(request, response) {
        const owned = await service.list(await callers.of(request))
        const answersNull = owned.length === 0 && !contract.namesResourceType
        sendList(response, answersNull ? null : owned.map(resource => describeOwned(resource, contract)))
      },
    }),
    operation({
      method: 'DELETE',
      path: '/api/me/resources/:token',
      summary: 'Delete a resource for good',
      security: ACCOUNT,
      params: schema.tokenParams,
      answer: schema.removed,
      status: contract.reapsAtOnce ? 200 : 202,
      refusals: [400, 401, 403, 404, 503],
      async run(request) {
        const removed = await service.remove(await callers.of(request), paramOf(request, 'token'))
        return { ...removed, ok: true, status: 'deleted' } as const
      },
    }),
    operation({
      method: 'POST',
      path: '/api/me/claim',
      summary: 'Make the account the owner of a resource',
      security: ACCOUNT,
      body: schema.tokenRequest,
      answer: schema.claimed,
      refusals: [400, 401, 404, 410],
      async run(request) {
        const caller = await callers.of(request)
        const { text, decoded } = readField(request.rawBody, 'token')
        if (!decoded) {
          // The real service checks the account before the body, so its error comes first.
          await local.accounts.require(caller.bearer)
          throw new ServiceRefusal(
            400,
            'invalid_body',
            'the body is not an object with a string "token": send {"token":"UUID"}',
          )
        }
        const { id, name, token, type, tier } = await service.claim(caller, text)
        return { id, name, ok: true, resource_type: type, status: 'active', tier, token } as const
      },
    }),
    operation({
      method: 'GET',
      path: '/claim/preview',
      summary: 'Show the resource that a claim would take',
      query: schema.tokenParams,
      answer: schema.previewed,
      refusals: [400, 404, 410],
      async run(request) {
        const requestedToken = new URLSearchParams(queryTextOf(request)).get('token') ?? ''
        const { name, type, tier, owner, createdAt, expiresAt } =
          await local.ownership.preview(requestedToken)
        return {
          name,
          ok: true as const,
          resource_type: type,
          tier,
          // `preview` refuses a resource with any other status.
          status: 'active' as const,
          already_claimed: owner !== null,
          created_at: timestamp(createdAt),
          ...(expiresAt !== null && {
            expires_at: timestamp(expiresAt),
            // An expired resource that the reaper has not visited yet has 0 s left.
            expires_in_seconds: Math.max(0, Math.floor((expiresAt - clock.now()) / 1000)),
          }),
        }
      },
    }),
  ]
}

/**
 * Returns the routes for the token and the plan of an account. Every GET of the token mints a new credential.
 */
export function accountOperations({ local, service, callers }: RestContext): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/api/me/token',
      summary: 'Mint a token for the account',
      security: ACCOUNT,
      answer: schema.minted,
      refusals: [401],
      async run(request) {
        const { token, expiresInSeconds } = await service.mintToken(await callers.of(request))
        return { expires_in: expiresInSeconds, ok: true as const, token }
      },
    }),
    operation({
      method: 'GET',
      path: '/api/me/plan',
      summary: 'Show the plan of the account',
      security: ACCOUNT,
      answer: schema.accountPlan,
      refusals: [401],
      async run(request) {
        const { bearer } = await callers.of(request)
        const { tier, period, status, label, upgrades } = planOf(await local.accounts.require(bearer))
        return {
          ok: true as const,
          plan_tier: tier,
          plan_period: period,
          plan_paid_at: null,
          subscription_status: status,
          current_period_end: null,
          human_label: label,
          available_upgrades: [...upgrades],
        }
      },
    }),
  ]
}

/** The plan of an account, in the terms of the real service. */
interface PlanView {
  tier: Plan
  /** Payment period. Null: the plan is free. */
  period: 'monthly' | 'annual' | null
  status: 'active' | 'none'
  label: string
  /** The payment periods of the paid plan, if the account can upgrade. */
  upgrades: readonly ('monthly' | 'annual')[]
}

/**
 * Describes the plan of an account. The stand-in has no payments, so a paid plan is shown as monthly and
 * without an end.
 */
function planOf({ plan }: Account): PlanView {
  if (plan === 'paid') {
    return { tier: 'paid', period: 'monthly', status: 'active', label: 'Developer', upgrades: [] }
  }
  return { tier: 'free', period: null, status: 'none', label: 'Free', upgrades: ['monthly', 'annual'] }
}
