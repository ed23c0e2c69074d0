import tape from 'tape'
import { Retention } from '../../../lib/core/retention.ts'

const timeout = 30_000

/** A log of 6400 bytes at most, in groups of one entry and 100 bytes: what is dropped ends at a group. */
function retention (groups: number, base = 0): Retention {
  const made = new Retention(6400, base, base, 0)
  for (let position = base + 1; position <= base + groups; position++) made.onAppended(position, 100)
  return made
}

tape('what all members have applied goes, and a quarter of the limit stays', { timeout }, async (t) => {
  const log = retention(50)
  t.equal(log.bytes, 5000)
  t.equal(log.truncation(0, 50), null, 'below the limit, who is live does not matter')
  t.equal(log.truncation(10, 50), 10)
  t.equal(log.truncation(50, 50), 34, 'the last 1600 bytes are kept')
  t.equal(retention(16).truncation(16, 16), null, 'there is no more than that')
})

tape('above the limit, what all live members have applied goes', { timeout }, async (t) => {
  const log = retention(65)
  t.equal(log.truncation(0, 40), 40)
  t.equal(log.truncation(0, 65), 49)
  t.equal(log.truncation(45, 40), 45, 'or what all have, if that is more')
  t.equal(retention(64).truncation(0, 40), null, 'not at the limit')
})

tape('what was truncated is not counted any more', { timeout }, async (t) => {
  const log = retention(65)
  log.onTruncated(40)
  t.equal(log.bytes, 2500)
  t.equal(log.truncation(40, 40), null)
  t.equal(log.truncation(45, 45), 45)
  for (let position = 66; position <= 104; position++) log.onAppended(position, 100)
  t.equal(log.bytes, 6400)
  t.equal(log.truncation(40, 90), null)
  log.onAppended(105, 100)
  t.equal(log.truncation(40, 89), 89)
})

tape('it is done in steps', { timeout }, async (t) => {
  const log = new Retention(6400, 0, 0, 0)
  for (let position = 1; position <= 3000; position++) log.onAppended(position, 10)
  const found = log.truncation(999, 0)
  t.equal(found, 990, 'of a 64th of the limit')
})

tape('a cut takes its bytes with it', { timeout }, async (t) => {
  const log = retention(65)
  log.onCut(60)
  t.equal(log.bytes, 6000)
  t.equal(log.truncation(0, 60), null, 'below the limit again')
  log.onAppended(61, 500)
  t.equal(log.bytes, 6500)
  t.equal(log.truncation(0, 60), 49)
})

tape('after a restart, or a copy, it goes on from there', { timeout }, async (t) => {
  const restarted = new Retention(6400, 100, 200, 6000)
  t.equal(restarted.bytes, 6000)
  t.equal(restarted.truncation(150, 150), null, 'where its groups end is not known')
  for (let position = 201; position <= 216; position++) restarted.onAppended(position, 100)
  t.equal(restarted.truncation(0, 216), 200)

  const copied = retention(65)
  copied.reset(1000)
  t.equal(copied.bytes, 0)
  t.equal(copied.truncation(1000, 1000), null)
  for (let position = 1001; position <= 1020; position++) copied.onAppended(position, 100)
  t.equal(copied.bytes, 2000)
  t.equal(copied.truncation(1020, 1020), 1004)
})
