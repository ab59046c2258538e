import type { SafebotView } from '../../safebot/view.js'
import { isRevealed, toggle } from '../live/secrets.js'
import { openState, state } from '../live/state.js'
import { counted, countOfShown, MAX_SHOWN, timeOfDay } from '../model/format.js'
import { Countdown } from './countdown.js'
import { Empty, Scrolled, Section } from './elements.js'
import { LeaseTimeline } from './lease-timeline.js'

type Room = SafebotView['rooms'][number]

/** Lists Safebot's rooms, with their messages, consumers and leases. */
export function RoomList() {
  const safebot = state.value?.safebot
  if (safebot === undefined) return null
  const { rooms } = safebot
  const latest = rooms
    .toSorted((one, other) => other.activeAt.localeCompare(one.activeAt))
    .slice(0, MAX_SHOWN)
  return (
    <Section id="rooms" title="Rooms" note={countOfShown(rooms.length, 'room')}>
      {rooms.length === 0 ? (
        <Empty
          command={`curl -s ${safebot.mcpUrl?.replace(/\/mcp$/, '')}/api/rooms/demo-room/messages -H 'Content-Type: application/json' \\\n  -d '{"ciphertext":"c2VhbGVkIGVsc2V3aGVyZQ==","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sender":"curl"}'`}
        >
          There is no room. One comes with its first message: from an agent that calls create_room and
          send_message, or so:
        </Empty>
      ) : (
        latest.map(room => <RoomCard key={room.id} room={room} />)
      )}
    </Section>
  )
}

function RoomCard({ room }: { room: Room }) {
  const { id, buffered, present, waiting, signedOnly } = room
  return (
    <article class="room" aria-label={`Room ${id}`}>
      <header class="room-head">
        <h3 class="mono">{id}</h3>
        <span class="dim">
          {counted(buffered, 'message')}, {present} present, {waiting} waiting
          {signedOnly && ', signed messages only'}
        </span>
      </header>
      <div class="room-parts">
        <div>
          <Consumers room={room} />
          <LeaseTimeline room={room} />
        </div>
        <Messages room={room} />
      </div>
    </article>
  )
}

/** Lists the consumers of a room, with their cursors and leases. */
function Consumers({ room: { consumers } }: { room: Room }) {
  if (consumers.length === 0)
    return <p class="dim">No task has been claimed here. Use claim_task or next_task.</p>
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

/**
 * Lists the messages of a room, encrypted. Shows their texts if this instance has the key and the user
 * reveals them.
 */
function Messages({ room }: { room: Room }) {
  const name = `texts of ${room.id}`
  const texts = isRevealed(name)
    ? openState.value?.safebot?.rooms.find(({ id }) => id === room.id)?.messages
    : undefined
  const textOf = (seq: number) => texts?.find(message => message.seq === seq)?.text
  return (
    <div class="messages">
      <div class="messages-head">
        {room.keyKnown ? (
          <>
            <span class="dim">
              {texts === undefined
                ? 'as the service has them: sealed'
                : 'opened with the key that a tool here was given'}
            </span>
            <button
              type="button"
              class="plain"
              aria-expanded={texts !== undefined}
              onClick={() => toggle(name)}
            >
              {texts === undefined ? 'show texts' : 'hide texts'}
            </button>
          </>
        ) : (
          <span class="dim">
            sealed: this instance has not come by the room’s key, so only its agents can read them
          </span>
        )}
      </div>
      <Scrolled label={`Messages of ${room.id}, the latest first`}>
        <table>
          <thead>
            <tr>
              <th>seq</th>
              <th>sender</th>
              <th>message</th>
              <th class="right">time</th>
            </tr>
          </thead>
          <tbody>
            {room.messages.toReversed().map(({ seq, sender, senderVerified, ciphertext, at }) => (
              <tr key={seq}>
                <td class="num dim">{seq}</td>
                <td>
                  {sender}
                  {senderVerified && <span title="signed, and checked"> ✓</span>}
                </td>
                <td class="message">
                  <MessageText text={textOf(seq)} ciphertext={ciphertext} />
                </td>
                <td class="right num dim" title={at}>
                  {timeOfDay(at)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
    </div>
  )
}

/**
 * Renders a message.
 *
 * @param text the text. Undefined if it was not requested, null if this instance has no key for it
 */
function MessageText({ text, ciphertext }: { text: string | null | undefined; ciphertext: string }) {
  if (typeof text === 'string') return <span class="plaintext">{text}</span>
  return (
    <span class="mono ciphertext dim" title={text === null ? 'no key at hand opens it' : 'sealed'}>
      {ciphertext.slice(0, 80)}
    </span>
  )
}
