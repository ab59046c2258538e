import { frame, int16, int32 } from '#built/servers/instanode/databases/embedded/wire/frames.js'
import type { Dice } from '../history/dice.js'

const SQL = `
;
SELECT 1
SELECT
SELEC 1
BEGIN
COMMIT
ROLLBACK
SELECT $1::int
SELECT 1/0
CREATE TEMP TABLE t (n int)
COPY (SELECT 1) TO STDOUT
COPY pg_class FROM STDIN
COPY t FROM STDIN
COPY (SELECT 1) TO PROGRAM 'id'
LISTEN x
NOTIFY x, 'y'
UNLISTEN *
DISCARD ALL
PREPARE s AS SELECT 1
EXECUTE s
DEALLOCATE s
DEALLOCATE ALL
SET SESSION AUTHORIZATION postgres
RESET SESSION AUTHORIZATION
SET ROLE postgres
SET client_encoding = 'LATIN1'
SET statement_timeout = 50
SELECT pg_sleep(0.1)
SELECT pg_backend_pid()
SELECT pg_cancel_backend($1)
SELECT pg_terminate_backend(1)
VACUUM
CHECKPOINT
SHOW ALL
LOAD 'x'
DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 1000)
FETCH ALL FROM c
SELECT repeat('x', 1000000)
SELECT pg_read_file('/etc/passwd')
DO $$ BEGIN RAISE EXCEPTION 'x'; END $$
WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT count(*) FROM r
SELECT ${'('.repeat(5_000)}1`.split('\n')

const NAMES = ['', 's', 'c', 'x'.repeat(70), 'é"\'']
/** Codes of a start-up message: cancel, TLS, GSS, and versions 3.0, 3.2 and 2.0 of the protocol. */
const STARTUP = [80877102, 80877103, 80877104, 3 << 16, (3 << 16) + 2, 2 << 16]

/** The bytes that a client sends, to a new connection or after the password was accepted. */
export interface PostgresRequest {
  afterLogin: boolean
  bytes: Buffer
  /** Whether the server has to answer. */
  complete: boolean
}

/** Makes the messages that this dice chooses: whole ones in any order, a tenth of them spoilt. */
export function postgresRequest(dice: Dice): PostgresRequest {
  const afterLogin = dice.percent(75)
  const complete = !afterLogin || dice.percent(70)
  if (!afterLogin)
    return { afterLogin, complete, bytes: Buffer.concat(several(dice, 3, () => stranger(dice))) }
  const messages = several(dice, 8, () => spoilt(dice, message(dice)))
  return { afterLogin, complete, bytes: Buffer.concat(complete ? [...messages, frame('S')] : messages) }
}

function stranger(dice: Dice): Buffer {
  const kind = dice.below(10)
  if (kind === 0) return junk(dice, 200)
  if (kind === 1) return Buffer.concat([Buffer.from([0x16, 3, 1, 0, 200]), junk(dice, 205)])
  if (kind === 2) return frame('p', 'SCRAM-SHA-256', int32(dice.below(9)), Buffer.from('n,,n=,r=abc'))
  if (kind === 3) return frame('p', Buffer.from('c=biws,r=abc,p=AAAA'))
  const code = dice.pick(STARTUP)
  const pairs = ['user', 'nobody', 'database', 'nothing', '_pq_.x', '1', 'options', '-c x=y'].slice(
    0,
    dice.below(9),
  )
  const strings = pairs.map(text => Buffer.from(`${text}\0`))
  const body = kind < 8 ? Buffer.concat([...strings, Buffer.alloc(1)]) : junk(dice, 20)
  const length = dice.percent(90) ? body.length + 8 : dice.pick([0, 4, 7, 10_001, -1])
  return Buffer.concat([int32(length), int32(code), body])
}

function message(dice: Dice): Buffer {
  const name = () => dice.pick(NAMES)
  const sql = () => dice.pick(SQL)
  const what = () => Buffer.from(dice.pick(['S', 'P', 'X', '']))
  const value = () => (dice.percent(20) ? int32(-1) : Buffer.concat([int32(4), junk(dice, 4)]))
  const values = several(dice, 3, value).slice(1)
  switch (dice.pick([...'QQQPPPBBBDDEEECCSHFcdf!X'])) {
    case 'Q':
      return frame('Q', sql())
    case 'P':
      return frame('P', name(), sql(), int16(dice.below(3)), int32(23), int32(0))
    case 'B':
      return frame('B', name(), name(), int16(dice.below(2)), int16(values.length), ...values, int16(0))
    case 'D':
      return frame('D', what(), name())
    case 'E':
      return frame('E', name(), int32(dice.below(3)))
    case 'C':
      return frame('C', what(), name())
    case 'S':
      return frame('S')
    case 'H':
      return frame('H')
    case 'F':
      return frame('F', int32(dice.below(5000)), int16(0), int16(values.length), ...values, int16(0))
    case 'c':
      return frame('c')
    case 'd':
      return frame('d', junk(dice, 30))
    case 'f':
      return frame('f', 'enough')
    default:
      return frame(dice.pick(['!', 'X', 'p', 'R']), junk(dice, 5))
  }
}

/** Cuts the body short, turns bytes over, or lies about the length. */
function spoilt(dice: Dice, whole: Buffer): Buffer {
  const fate = dice.below(100)
  if (fate < 86) return whole
  const type = whole.toString('latin1', 0, 1)
  const body = Buffer.from(whole.subarray(5))
  if (fate < 93) return frame(type, body.subarray(0, dice.below(body.length + 1)))
  if (fate < 97 && body.length > 0) body[dice.below(body.length)] = dice.below(256)
  if (fate < 97) return frame(type, body)
  return Buffer.concat([Buffer.from(type), int32(dice.pick([0, 3, 4, -1, 2 ** 30, body.length + 5])), body])
}

function several(dice: Dice, most: number, make: () => Buffer): Buffer[] {
  return Array.from({ length: 1 + dice.below(most) }, make)
}

function junk(dice: Dice, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => dice.below(256)))
}
