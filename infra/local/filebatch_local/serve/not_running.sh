# Evaluated by `eval "$(make -s env)"` where no local AWS runs: blocks `aws`, as the next command was meant for the local one.
unalias aws 2>/dev/null || :
eval 'aws() {
  echo "aws: blocked: no local AWS runs, so this shell is not set up for it." \
    "make aws, then eval \"\$(make -s env)\" again; or unset -f aws" >&2
  return 1
}'
aws
