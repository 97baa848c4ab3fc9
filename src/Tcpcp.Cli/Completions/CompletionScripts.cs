namespace Tcpcp.Cli.Completions;

/// <summary>
/// The scripts ask the command itself: <c>tcpcp "[suggest:POSITION]" "WORDS"</c> prints what can stand at the position, one word a line. The words
/// are those after the command's name, so that a path or an alias before them does not matter.
/// </summary>
internal static class CompletionScripts
{
    // bash splits words at colons, which every connection has: what stands before the last colon of the word must not be in the reply.
    private const string Bash = """
        # bash completion for tcpcp: source <(tcpcp completions bash)
        _tcpcp() {
            local line="${COMP_LINE:0:COMP_POINT}" word candidate before
            line="${line#"${line%%[![:space:]]*}"}"
            line="${line#"${COMP_WORDS[0]}"}"
            line="${line#"${line%%[![:space:]]*}"}"
            word="${line##*[[:space:]]}"
            word="${word#[\"\']}"
            before="${word%"${word##*:}"}"
            COMPREPLY=()
            while IFS= read -r candidate; do
                [[ -n $candidate && $candidate == "$word"* ]] || continue
                [[ $COMP_WORDBREAKS == *:* ]] && candidate="${candidate#"$before"}"
                COMPREPLY+=("$candidate")
            done < <("${COMP_WORDS[0]}" "[suggest:${#line}]" "$line" 2>/dev/null)
        }
        complete -o default -F _tcpcp tcpcp

        """;

    private const string Zsh = """
        #compdef tcpcp
        # zsh completion for tcpcp: tcpcp completions zsh > "${fpath[1]}/_tcpcp", or source <(tcpcp completions zsh)
        _tcpcp() {
            local line="${(j: :)words[2,CURRENT-1]}"
            local -a candidates
            line="${line:+$line }$PREFIX"
            candidates=("${(@f)$("${words[1]}" "[suggest:${#line}]" "$line" 2>/dev/null)}")
            candidates=(${candidates:#})
            if (( ${#candidates} )); then compadd -- "${candidates[@]}"; else _files; fi
        }
        if [[ $funcstack[1] == _tcpcp ]]; then _tcpcp "$@"; else compdef _tcpcp tcpcp; fi

        """;

    private const string Fish = """
        # fish completion for tcpcp: tcpcp completions fish | source
        function __tcpcp_candidates
            set -l words (commandline --tokenize --cut-at-cursor --current-process)
            set -l line (string join ' ' -- $words[2..] (commandline --current-token --cut-at-cursor))
            $words[1] "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete --command tcpcp --arguments '(__tcpcp_candidates)'

        """;

    public static IReadOnlyList<string> Shells { get; } = ["bash", "zsh", "fish"];

    public static string For(string shell) => shell switch
    {
        "bash" => Bash,
        "zsh" => Zsh,
        "fish" => Fish,
        _ => throw new ArgumentOutOfRangeException(nameof(shell), shell, "No script for this shell."),
    };
}
