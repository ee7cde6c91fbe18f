import t from 'tap';
import { Metrics } from '../../../lib/stream/metrics.js';

t.test('counts what was answered, and how', async (t) => {
  const metrics = new Metrics();
  t.equal(metrics.percentiles(), null);
  metrics.count(1, true);
  metrics.count(2, false);
  metrics.count(3, true);
  t.same([metrics.served, metrics.failed], [2, 1]);
});

t.test('percentiles are durations that occurred, of the smallest that so many reach', async (t) => {
  const metrics = new Metrics();
  metrics.count(7.126, true);
  t.same(metrics.percentiles(), { p50: 7.13, p90: 7.13, p99: 7.13 });
  const hundred = new Metrics();
  for (let i = 100; i >= 1; i--) hundred.count(i, i % 2 === 0);
  t.same(hundred.percentiles(), { p50: 50, p90: 90, p99: 99 });
  const few = new Metrics();
  for (const each of [10, 2, 9]) few.count(each, false);
  t.same(few.percentiles(), { p50: 9, p90: 10, p99: 10 }, 'not in the order of words');
});

t.test('the last 1024 count, whatever came of them', async (t) => {
  const metrics = new Metrics();
  for (let i = 0; i < 1024; i++) metrics.count(1_000_000, true);
  for (let i = 0; i < 1014; i++) metrics.count(5, i % 2 === 0);
  t.same(metrics.percentiles(), { p50: 5, p90: 5, p99: 5 });
  t.equal(metrics.served + metrics.failed, 2038);
  const old = new Metrics();
  for (let i = 0; i < 1024; i++) old.count(1, true);
  for (let i = 0; i < 512; i++) old.count(2, true);
  t.same(old.percentiles(), { p50: 1, p90: 2, p99: 2 });
});
