import type { SafebotView } from '../../safebot/view.js'
import { Countdown } from './countdown.js'

type Room = SafebotView['rooms'][number]

/** How far each handle has got in a room, and what it holds. */
export function Consumers({ room: { consumers } }: { room: Room }) {
  if (consumers.length === 0)
    return <p class="dim">Nobody has claimed a task here: claim_task and next_task do.</p>
  return (
    <table class="consumers">
      <thead>
        <tr>
          <th>handle</th>
          <th class="right">cursor</th>
          <th>lease</th>
        </tr>
      </thead>
      <tbody>
        {consumers.map(({ handle, cursor, lease }) => (
          <tr key={handle}>
            <td class="mono">{handle}</td>
            <td class="right num">{cursor}</td>
            <td>
              {lease === null ? (
                <span class="dim">holds none</span>
              ) : (
                <>
                  <Countdown from={lease.claimedAt} to={lease.expiresAt} what="to redelivery" />
                  <span class="second dim num">of {lease.seq}</span>
                </>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
