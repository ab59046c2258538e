import type { LeaseSpan } from '../model/leases.js'
import { dayAndTime } from '../model/words.js'
import { Scrolled } from './scrolled.js'

const WORDS = { acked: 'acknowledged', expired: 'expired', held: 'held until' } as const

/** The same as the picture, to be read. */
export function LeaseTable({ spans }: { spans: readonly LeaseSpan[] }) {
  return (
    <details>
      <summary>as a table</summary>
      <Scrolled label="Leases, as a table">
        <table>
          <thead>
            <tr>
              <th>handle</th>
              <th>message</th>
              <th>claimed</th>
              <th>ended</th>
            </tr>
          </thead>
          <tbody>
            {spans.toReversed().map(({ handle, seq, claimId, from, to, end, redelivered }) => (
              <tr key={claimId}>
                <td class="mono">{handle}</td>
                <td class="num">
                  {seq}
                  {redelivered && <span class="dim"> redelivered</span>}
                </td>
                <td class="num">{dayAndTime(new Date(from).toISOString())}</td>
                <td class="num">
                  {WORDS[end]} {dayAndTime(new Date(to).toISOString())}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
    </details>
  )
}
