import type { Policy, Rule, Warning } from './model.js'

/** Known holes of the product a policy is written for, as far as this one would fall into them; the reference closes them. */
export function productHoles(policy: Policy): Warning[] {
  const rules = [...[...policy.tools.values()].flat(), ...policy.everyTool]
  const limits = rules.flatMap(({ demand }) => (demand.kind === 'limit' ? [demand.limit] : []))
  const fromArguments = limits.some(({ amount }) => typeof amount !== 'number')
  const found: [code: string, applies: boolean, message: string][] =
    policy.dialect === 'policylayer'
      ? [
          [
            'order_unpublished',
            hasSeveralKinds(policy),
            'PolicyLayer does not say in which order require, deny_if and limits are judged: here in this one',
          ],
          [
            'fixed_windows',
            limits.length > 0,
            'Windows are read as fixed ones: around the turn of one, twice the limit can pass',
          ],
        ]
      : [
          [
            'non_object_arguments',
            true,
            'Intercept forwards calls whose arguments are a list or a text without judging them; here they are denied',
          ],
          [
            'batches',
            true,
            'Intercept in front of a stdio child forwards JSON-RPC batches without judging them',
          ],
          [
            'gzip',
            policy.hide.length > 0,
            'Intercept over HTTP does not see into gzip: hidden tools are listed to a client that accepts it',
          ],
          [
            'reload',
            true,
            'Intercept does not notice a policy file that was replaced by renaming, as many editors do: it goes on with the old one',
          ],
          [
            'negative_amounts',
            fromArguments,
            'Intercept takes negative amounts from arguments: a call can give itself quota; here it is denied',
          ],
          [
            'late_refund',
            limits.length > 0,
            'Intercept gives quota back to whichever window it is by then; here only to the one it was taken from',
          ],
          [
            'shared_counters',
            limits.length > 0,
            'Intercept counts under --state-dir by the name of the tool: two policies of one user share their counts',
          ],
          [
            'fixed_windows',
            limits.length > 0,
            'Windows are fixed: around the turn of one, twice the limit can pass',
          ],
        ]
  return found.filter(([, applies]) => applies).map(([code, , message]) => ({ code, level: 'note', message }))
}

function hasSeveralKinds({ tools }: Policy): boolean {
  const kindsOf = (rules: readonly Rule[]) => new Set(rules.map(({ demand }) => demand.kind))
  return [...tools.values()].some(rules => kindsOf(rules).size > 1)
}
