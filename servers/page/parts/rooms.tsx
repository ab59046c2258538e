import type { SafebotView } from '../../safebot/view.js'
import { isRevealed, toggle } from '../live/secrets.js'
import { state, stateWithSecrets } from '../live/state.js'
import { counted, countOfShown, curl, MAX_SHOWN, timeOfDay } from '../model/format.js'
import { Countdown } from './countdown.js'
import { Empty, Scrolled, Section, Table } from './elements.js'
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
          command={curl(`${safebot.mcpUrl?.replace(/\/mcp$/, '')}/api/rooms/demo-room/messages`, {
            ciphertext: 'c2VhbGVkIGVsc2V3aGVyZQ==',
            nonce: 'A'.repeat(32),
            sender: 'curl',
          })}
        >
          There are no rooms yet. The first message to a room creates it. Send one:
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
          {counted(buffered, 'message')}, {counted(present, 'client')} connected,{' '}
          {counted(waiting, 'request')} waiting
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
    return (
      <p class="dim">
        No task was claimed in this room yet. Agents claim tasks with claim_task or next_task.
      </p>
    )
  return (
    <Table columns={['handle', 'lease']}>
      {consumers.map(({ handle, cursor, lease }) => (
        <tr key={handle}>
          <td>
            <span class="mono">{handle}</span>
            <span class="second dim num">cursor {cursor}</span>
          </td>
          <td>
            {lease === null ? (
              <span class="dim">no lease</span>
            ) : (
              <>
                <Countdown from={lease.claimedAt} to={lease.expiresAt} what="to redelivery" />
                <span class="second dim num">message {lease.seq}</span>
              </>
            )}
          </td>
        </tr>
      ))}
    </Table>
  )
}

/**
 * Lists the messages of a room in encrypted form. If this instance has the key and the user reveals the
 * texts, they are shown instead.
 */
function Messages({ room }: { room: Room }) {
  const name = `texts of ${room.id}`
  const texts = isRevealed(name)
    ? stateWithSecrets.value?.safebot?.rooms.find(({ id }) => id === room.id)?.messages
    : undefined
  const textOf = (seq: number) => texts?.find(message => message.seq === seq)?.text
  return (
    <div class="messages">
      <div class="messages-head">
        {room.keyKnown ? (
          <>
            <span class="dim">
              {texts === undefined
                ? 'Encrypted, as the service stores them'
                : 'Decrypted with the key from a tool call'}
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
            Encrypted. This instance does not have the room’s key, so only the room’s agents can read these
            messages.
          </span>
        )}
      </div>
      <Scrolled label={`Messages of ${room.id}, the newest first`}>
        <Table columns={['sender', 'message', 'time']} numeric>
          {room.messages.toReversed().map(({ seq, sender, senderVerified, ciphertext, at }) => (
            <tr key={seq}>
              <td>
                {sender}
                {senderVerified && <span title="The signature is valid"> ✓</span>}
                <span class="second dim num">{seq}</span>
              </td>
              <td class="message">
                <MessageText text={textOf(seq)} ciphertext={ciphertext} />
              </td>
              <td class="right num dim" title={at}>
                {timeOfDay(at)}
              </td>
            </tr>
          ))}
        </Table>
      </Scrolled>
    </div>
  )
}

/**
 * Renders the text of a message, or its encrypted form.
 *
 * @param text undefined while texts are hidden, and null if no key of this instance decrypts the message
 */
function MessageText({ text, ciphertext }: { text: string | null | undefined; ciphertext: string }) {
  if (typeof text === 'string') return <span class="plaintext">{text}</span>
  return (
    <span
      class="mono ciphertext dim"
      title={text === null ? 'encrypted, no key here decrypts it' : 'encrypted'}
    >
      {ciphertext.slice(0, 80)}
    </span>
  )
}
