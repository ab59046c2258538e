import type { Approval } from '../../../shared/schemas/approval.js'

/** Returns a pending approval that expires at ten past twelve. The other fields do not matter. */
export function approval(given: Partial<Approval> = {}): Approval {
  return {
    ...{
      id: 'apr_1',
      state: 'pending',
      at: '2026-01-01T12:00:00.000Z',
      expiresAt: '2026-01-01T12:10:00.000Z',
    },
    ...{ grant: 'default', tool: 'get_api_token', argumentKeys: [], argsHash: null },
    ...{ rule: 'ask', message: 'Somebody has to look at this first.' },
    ...given,
  }
}
