/** The soak in short, so that its judge and its faults stay right: `npm run soak` is the long one. */
process.env.MIDCLT_SOAK_SECONDS ??= '12';
void import('../soak/soak.test.js');
