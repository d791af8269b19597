# Evaluated by `eval "$(make -s env)"`, in any POSIX shell: sets it up for the local AWS, or refuses.
#
# A shell with credentials of a real account stays as it is, and its `aws` is blocked, as the next command was meant for
# the local AWS. Any other shell gets the local settings and loses its AWS_ variables; its AWS configuration is empty,
# so that it can't reach a profile, role or endpoint of a real account.
_filebatch_real=
for _filebatch_name in AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_ROLE_ARN \
  AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; do
  eval "[ -z \"\${$_filebatch_name-}\" ]" || _filebatch_real="$_filebatch_real $_filebatch_name"
done
case "${AWS_ACCESS_KEY_ID-}" in
  '' | filebatch-local.*) ;;
  *) _filebatch_real="$_filebatch_real AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY" ;;
esac
unalias aws 2>/dev/null || :
unset -f aws 2>/dev/null || :
if [ -n "$_filebatch_real" ]; then
  eval "aws() {
    echo 'aws: blocked: this shell holds credentials of a real account, so it is not set up for the local AWS.' \
      'Use another shell; or unset$_filebatch_real and try again; or unset -f aws' >&2
    return 1
  }"
  aws
else
  # A company's proxy isn't asked for what is on this machine.
  _filebatch_direct="${no_proxy:-${NO_PROXY-}}"
  case ",$_filebatch_direct," in
    *,127.0.0.1,* | *',*,'*) ;;
    *) _filebatch_direct="${_filebatch_direct:+$_filebatch_direct,}127.0.0.1,localhost" ;;
  esac
  export NO_PROXY="$_filebatch_direct" no_proxy="$_filebatch_direct"
  unset AWS_ $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p')
@exports@
fi
